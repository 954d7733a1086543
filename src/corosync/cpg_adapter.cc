#include "corosync/cpg_adapter.h"

#include <corosync/cpg.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace assent {

namespace {

constexpr int kMessagesPerBatch = 64;  // then the other fds have their turn
constexpr int64_t kRetryMinUs = 1'000;
constexpr int64_t kRetryMaxUs = 5'000;
// Own messages that corosync took and does not deliver for so long are lost: twice its longest wait for a qdevice.
constexpr int64_t kStuckUs = 60'000'000;

Cpg* self(cpg_handle_t handle) {
    void* context = nullptr;
    return cpg_context_get(handle, &context) == CS_OK ? static_cast<Cpg*>(context) : nullptr;
}

bool node_change(const cpg_address* list, size_t size) {
    return std::any_of(list, list + size, [](const cpg_address& a) {
        return a.reason == CPG_REASON_NODEDOWN || a.reason == CPG_REASON_NODEUP;
    });
}

void deliver(cpg_handle_t handle, const cpg_name*, uint32_t node, uint32_t pid, void* message, size_t size) {
    if (Cpg* cpg = self(handle)) cpg->on_deliver(NodeId(node), pid, {static_cast<const char*>(message), size});
}

void confchg(cpg_handle_t handle, const cpg_name*, const cpg_address* members, size_t member_count,
             const cpg_address* left, size_t left_count, const cpg_address* joined, size_t joined_count) {
    Cpg* cpg = self(handle);
    if (!cpg) return;
    std::vector<NodeId> nodes;
    for (size_t i = 0; i < member_count; ++i) nodes.emplace_back(members[i].nodeid);
    cpg->on_confchg(std::move(nodes), node_change(left, left_count) || node_change(joined, joined_count));
}

void totem_confchg(cpg_handle_t handle, cpg_ring_id ring, uint32_t count, const uint32_t* members) {
    Cpg* cpg = self(handle);
    if (!cpg) return;
    std::vector<NodeId> nodes;
    for (uint32_t i = 0; i < count; ++i) nodes.emplace_back(members[i]);
    cpg->on_ring({NodeId(ring.nodeid), ring.seq}, std::move(nodes));
}

}  // namespace

Cpg::Cpg(Loop& loop, std::string group, CpgCallbacks callbacks, std::function<void()> on_dead)
    : loop_(loop), group_(std::move(group)), callbacks_(std::move(callbacks)), on_dead_(std::move(on_dead)),
      outbox_([this](std::string_view message) { return mcast(message); }) {}

int Cpg::open(CpgConnection& connection) {
    cpg_model_v1_data_t model{};
    model.model = CPG_MODEL_V1;
    model.cpg_deliver_fn = deliver;
    model.cpg_confchg_fn = confchg;
    model.cpg_totem_confchg_fn = totem_confchg;
    model.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
    cpg_handle_t handle = 0;
    cs_error_t e = cpg_model_initialize(&handle, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&model), this);
    if (e != CS_OK) return e;

    cpg_name name{};
    const std::string full = "assent." + group_;
    name.length = uint32_t(std::min(full.size(), sizeof name.value));
    std::memcpy(name.value, full.data(), name.length);
    unsigned int local = 0;
    int fd = -1;
    // The fd comes last: the local id is asked for while this thread is still the only one on the handle.
    if ((e = cpg_local_get(handle, &local)) != CS_OK || (e = cpg_join(handle, &name)) != CS_OK ||
        (e = cpg_fd_get(handle, &fd)) != CS_OK) {
        cpg_finalize(handle);
        return e;
    }
    connection = {handle, fd, NodeId(local)};
    return CS_OK;
}

void Cpg::close(uint64_t handle) { cpg_finalize(handle); }

void Cpg::adopt(const CpgConnection& connection) {
    connection_ = connection;
    dead_ = false;
    views_.reset(connection.local);
    outbox_.clear();
    loop_.add_fd(connection.fd, Priority::high, EPOLLIN, [this](uint32_t revents) { on_readable(revents); });
}

void Cpg::release(bool tell) {
    if (connection_.fd < 0) return;
    loop_.del_fd(connection_.fd);
    cancel_timers();
    connection_ = {};
    outbox_.clear();
    if (tell) callbacks_.on_lost();
}

bool Cpg::send(std::string message) {
    if (connection_.fd < 0 || dead_ || !outbox_.push(std::move(message))) return false;
    ++sent_;
    if (retry_ == 0) flush();
    return true;
}

void Cpg::flush() {
    if (connection_.fd < 0 || dead_) return;
    switch (outbox_.flush()) {
        case Outbox::Flushed::all: retry_us_ = kRetryMinUs; break;
        case Outbox::Flushed::unread:
            retry_us_ = kRetryMinUs;
            if (stuck_ != 0) break;
            stuck_ = loop_.timer_once(kStuckUs, [this] {
                stuck_ = 0;
                dead(CS_ERR_TIMEOUT);
            });
            break;
        case Outbox::Flushed::again:
            ++retries_;
            if (retry_ != 0) break;
            retry_ = loop_.timer_once(retry_us_, [this] {
                retry_ = 0;
                flush();
            });
            retry_us_ = std::clamp(retry_us_ * 2, kRetryMinUs, kRetryMaxUs);
            break;
        case Outbox::Flushed::dead: dead(CS_ERR_LIBRARY); break;
    }
}

void Cpg::cancel_timers() {
    loop_.cancel(std::exchange(retry_, 0));
    loop_.cancel(std::exchange(stuck_, 0));
}

Cs Cpg::mcast(std::string_view message) {
    iovec part{const_cast<char*>(message.data()), message.size()};
    return cs_status(cpg_mcast_joined(connection_.handle, CPG_TYPE_AGREED, &part, 1));
}

void Cpg::on_readable(uint32_t revents) {
    for (int n = 0; n < kMessagesPerBatch; ++n) {
        const cs_error_t e = cpg_dispatch(connection_.handle, CS_DISPATCH_ONE_NONBLOCKING);
        if (connection_.fd < 0) return;  // a callback ended the connection
        if (e == CS_OK) continue;
        const bool hung_up = n == 0 && (revents & (EPOLLHUP | EPOLLERR));
        if (e != CS_ERR_TRY_AGAIN || hung_up) return dead(e);
        break;
    }
    if (retry_ == 0) flush();
}

void Cpg::dead(int cs_error) {
    if (std::exchange(dead_, true)) return;
    ASSENT_DEBUG("group %s: CPG connection lost: %s", group_.c_str(), cs_text(cs_error).c_str());
    on_dead_();
}

void Cpg::tell(const std::optional<CpgView>& view) {
    if (view) callbacks_.on_view(*view);
}

void Cpg::on_confchg(std::vector<NodeId> nodes, bool ring_follows) {
    if (connection_.fd >= 0) tell(views_.on_members(std::move(nodes), ring_follows));
}

void Cpg::on_ring(RingId ring, std::vector<NodeId> nodes) {
    if (connection_.fd >= 0) tell(views_.on_ring(ring, std::move(nodes)));
}

void Cpg::on_deliver(NodeId from, uint32_t pid, std::string_view message) {
    if (connection_.fd < 0) return;
    tell(views_.on_message());
    if (connection_.fd < 0) return;
    if (from == connection_.local && pid == uint32_t(::getpid())) {
        outbox_.on_delivered(message);
        loop_.cancel(std::exchange(stuck_, 0));
    }
    callbacks_.on_message(from, message);
}

}  // namespace assent
