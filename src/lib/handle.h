// One handle: both roles, the callbacks that are due, and one lock over all of it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "lib/attached.h"
#include "lib/events.h"
#include "lib/requests.h"
#include "lib/watches.h"

namespace assent::lib {

constexpr uint32_t kMaxRequest = 2u << 20;  // the daemon takes frames of 64 KiB more

// For callbacks; valid as long as the Reply.
assent_reply_t view_of(const Reply& reply);

class Handle {
  public:
    // The model has been checked, and has no NULL among its texts. Throws Failure: no file descriptor left.
    Handle(assent_handle_t handle, const assent_model_v1_data_t& model, void* context);

    void finalize();
    int fd() const { return out_.fd(); }
    cs_error_t dispatch(cs_dispatch_flags_t flags);
    std::atomic<void*>& context() { return owner_.context; }
    void state(assent_state_t& state);

    // timeout_ms 0: the handle's own.
    cs_error_t submit(pb::Request&& request, size_t bytes, uint32_t timeout_ms, assent_reply_fn_t done, void* user);
    // Waits for the reply. Without CS_OK nothing was submitted, but for CS_ERR_BAD_HANDLE.
    cs_error_t call(pb::Request&& request, size_t bytes, uint32_t timeout_ms, Reply& reply);
    cs_error_t watch(uint64_t from, assent_watch_fn_t fn, void* user, uint64_t& watch);
    cs_error_t unwatch(uint64_t watch);

    cs_error_t attach(const char* group, uint64_t applied, const assent_cluster_id_t& cluster);
    // Calls one of Attached's functions.
    template <typename Fn> cs_error_t application(Fn&& fn) {
        const Lock lock(mutex_);
        if (closed_) return CS_ERR_BAD_HANDLE;
        const cs_error_t error = fn(attached_);
        if (attached_.wanted()) sent();
        return error;
    }

  private:
    using Lock = std::unique_lock<std::mutex>;
    struct Waiter {
        EventFd woken;
        std::optional<Reply> reply;
    };

    void pump();
    void write_out();
    void sent();
    bool call_one(Lock& lock);
    void wait(Lock& lock, int fd, const EventFd* other, Time until);
    void wake_waiters();
    cs_error_t wait_for_room(Lock& lock, Waiter& waiter, size_t bytes, Time deadline);
    Time deadline(uint32_t timeout_ms) const;
    void start_client();
    void show(bool connected, const std::string& reason);
    void done(assent_reply_fn_t fn, void* user, Reply&& reply);

    std::mutex mutex_;
    Owner owner_;
    const std::string address_, group_, program_;
    const assent_model_v1_data_t model_;
    Reactor io_;   // sockets and times: what every waiting thread looks at
    Reactor out_;  // io_, and whether callbacks are due: the user's descriptor
    Events events_;
    Session client_;
    Requests requests_;
    Watches watches_;
    Attached attached_;
    std::set<Waiter*> waiters_;
    bool closed_ = false;
    bool dispatching_ = false;
    std::thread::id dispatcher_;
    std::thread::id finalizer_;
    bool connected_ = false;  // as the callback was told
    std::string shown_reason_;
};

}  // namespace assent::lib
