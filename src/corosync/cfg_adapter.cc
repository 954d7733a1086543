#include "corosync/cfg_adapter.h"

#include <corosync/corotypes.h>
#include <netinet/in.h>
// cfg.h needs the two above but does not include them.
#include <corosync/cfg.h>

#include <utility>

namespace assent {

namespace {

thread_local Cfg* dispatching = nullptr;  // libcfg gives its callback no context

void on_shutdown(corosync_cfg_handle_t, corosync_cfg_shutdown_flags_t) {
    if (dispatching) dispatching->set_asked();
}

}  // namespace

int Cfg::open() {
    corosync_cfg_callbacks_t callbacks{};
    callbacks.corosync_cfg_shutdown_callback = on_shutdown;
    corosync_cfg_handle_t handle = 0;
    cs_error_t e = corosync_cfg_initialize(&handle, &callbacks);
    if (e != CS_OK) return e;
    int fd = -1;
    if ((e = corosync_cfg_trackstart(handle, 0)) != CS_OK || (e = corosync_cfg_fd_get(handle, &fd)) != CS_OK) {
        corosync_cfg_finalize(handle);
        return e;
    }
    handle_ = handle;
    fd_ = fd;
    asked_ = false;
    return CS_OK;
}

void Cfg::close() {
    if (fd_ < 0) return;
    corosync_cfg_finalize(handle_);
    fd_ = -1;
}

int Cfg::dispatch() {
    dispatching = this;
    const cs_error_t e = corosync_cfg_dispatch(handle_, CS_DISPATCH_ALL);
    dispatching = nullptr;
    return e;
}

bool Cfg::take_asked() { return std::exchange(asked_, false); }

int Cfg::allow_shutdown() {
    return fd_ < 0 ? CS_ERR_LIBRARY : corosync_cfg_replyto_shutdown(handle_, COROSYNC_CFG_SHUTDOWN_FLAG_YES);
}

}  // namespace assent
