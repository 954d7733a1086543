#include "corosync/votequorum_adapter.h"

#include <corosync/votequorum.h>

#include <utility>

namespace assent {

namespace {

Votequorum& self(uint64_t context) { return *reinterpret_cast<Votequorum*>(context); }

void on_quorum(votequorum_handle_t, uint64_t context, uint32_t, uint32_t, votequorum_node_t*) {
    self(context).set_changed();
}

void on_expected_votes(votequorum_handle_t, uint64_t context, uint32_t) { self(context).set_changed(); }

void on_nodelist(votequorum_handle_t, uint64_t context, votequorum_ring_id_t, uint32_t, uint32_t*) {
    self(context).set_changed();
}

}  // namespace

int Votequorum::open() {
    votequorum_callbacks_t callbacks{};
    callbacks.votequorum_quorum_notify_fn = on_quorum;
    callbacks.votequorum_expectedvotes_notify_fn = on_expected_votes;
    callbacks.votequorum_nodelist_notify_fn = on_nodelist;
    votequorum_handle_t handle = 0;
    cs_error_t e = votequorum_initialize(&handle, &callbacks);
    if (e != CS_OK) return e;
    int fd = -1;
    if ((e = votequorum_trackstart(handle, reinterpret_cast<uint64_t>(this), CS_TRACK_CHANGES)) != CS_OK ||
        (e = votequorum_fd_get(handle, &fd)) != CS_OK) {
        votequorum_finalize(handle);
        return e;
    }
    handle_ = handle;
    fd_ = fd;
    changed_ = true;
    return CS_OK;
}

void Votequorum::close() {
    if (fd_ < 0) return;
    votequorum_finalize(handle_);
    fd_ = -1;
}

int Votequorum::dispatch() { return votequorum_dispatch(handle_, CS_DISPATCH_ALL); }

int Votequorum::read_votes(NodeId node, uint32_t& votes) {
    votequorum_info info{};
    const cs_error_t e = votequorum_getinfo(handle_, node.value, &info);
    if (e == CS_OK) votes = info.node_votes;
    return e == CS_ERR_NOT_EXIST ? CS_OK : e;
}

bool Votequorum::take_changed() { return std::exchange(changed_, false); }

}  // namespace assent
