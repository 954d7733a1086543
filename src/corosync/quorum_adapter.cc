#include "corosync/quorum_adapter.h"

#include <corosync/quorum.h>

namespace assent {

namespace {

constexpr int kNoticesPerBatch = 32;

void notify(quorum_handle_t handle, uint32_t quorate, quorum_ring_id ring, uint32_t, const uint32_t*) {
    const void* context = nullptr;
    if (quorum_context_get(handle, &context) != CS_OK || !context) return;
    auto* quorum = static_cast<Quorum*>(const_cast<void*>(context));
    quorum->on_notify(quorate != 0, {NodeId(ring.nodeid), ring.seq});
}

// Membership is CPG's to tell; libquorum wants a function all the same.
void ignore_nodelist(quorum_handle_t, quorum_ring_id, uint32_t, const uint32_t*, uint32_t, const uint32_t*, uint32_t,
                     const uint32_t*) {}

}  // namespace

Quorum::Quorum(Loop& loop, OnQuorum on_quorum, std::function<void()> on_dead)
    : loop_(loop), on_quorum_(std::move(on_quorum)), on_dead_(std::move(on_dead)) {}

int Quorum::open(QuorumConnection& connection) {
    quorum_model_v1_data_t model{};
    model.model = QUORUM_MODEL_V1;
    model.quorum_notify_fn = notify;
    model.nodelist_notify_fn = ignore_nodelist;
    quorum_handle_t handle = 0;
    uint32_t type = 0;
    cs_error_t e =
        quorum_model_initialize(&handle, QUORUM_MODEL_V1, reinterpret_cast<quorum_model_data_t*>(&model), &type, this);
    if (e != CS_OK) return e;
    int fd = -1;
    if ((e = quorum_trackstart(handle, CS_TRACK_CURRENT | CS_TRACK_CHANGES)) != CS_OK ||
        (e = quorum_fd_get(handle, &fd)) != CS_OK) {
        quorum_finalize(handle);
        return e;
    }
    connection = {handle, fd};
    return CS_OK;
}

void Quorum::close(uint64_t handle) { quorum_finalize(handle); }

void Quorum::adopt(const QuorumConnection& connection) {
    connection_ = connection;
    loop_.add_fd(connection.fd, Priority::high, EPOLLIN, [this](uint32_t revents) { on_readable(revents); });
}

void Quorum::release() {
    if (connection_.fd < 0) return;
    loop_.del_fd(connection_.fd);
    connection_ = {};
}

void Quorum::on_readable(uint32_t revents) {
    for (int n = 0; n < kNoticesPerBatch; ++n) {
        const cs_error_t e = quorum_dispatch(connection_.handle, CS_DISPATCH_ONE_NONBLOCKING);
        if (connection_.fd < 0) return;  // a callback ended the connection
        if (e == CS_OK) continue;
        const bool hung_up = n == 0 && (revents & (EPOLLHUP | EPOLLERR));
        if (e != CS_ERR_TRY_AGAIN || hung_up) on_dead_();
        return;
    }
}

void Quorum::on_notify(bool quorate, RingId ring) {
    if (connection_.fd >= 0) on_quorum_(quorate, ring);
}

}  // namespace assent
