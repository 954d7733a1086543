#include "lib/handle.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace assent::lib {

namespace {

constexpr size_t kEventsBetweenPumps = 64;

int poll_milliseconds(Time until) {
    if (until == kNever) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return int(std::clamp<int64_t>(left, 0, INT32_MAX));
}

}  // namespace

Handle::Handle(assent_handle_t handle, const assent_model_v1_data_t& model, void* context)
    : address_(model.address), group_(model.group), program_(model.program), model_(model),
      client_(io_, address_, group_, program_,
              {[this](const pb::HelloReply& hello) {
                   if (!requests_.on_up(hello, Clock::now())) return;
                   watches_.on_up();
                   show(true, "");
               },
               [this](pb::ServerFrame&& frame, size_t) {
                   if (frame.has_watched())
                       watches_.on_watched(frame.watched());
                   else if (!frame.has_reply())
                       client_.fail(pb::OTHER_ERROR, "the daemon sent what does not belong into a client's session");
                   else if (!watches_.on_reply(frame.reply(), Clock::now()))
                       requests_.on_reply(std::move(*frame.mutable_reply()), Clock::now());
               },
               [this](bool, pb::Code code, const std::string& reason) {
                   requests_.on_down(code, reason);
                   watches_.on_down();
                   show(false, reason);
               }}),
      requests_(io_, client_, group_, {model.max_outstanding, model.max_queued_bytes},
                [this] {
                    wake_waiters();
                    if (model_.writable) events_.push([this] { model_.writable(owner_.handle, owner_.context); });
                }),
      watches_(owner_, io_, client_, requests_, events_, group_),
      attached_(owner_, model_, io_, events_, address_, program_, model.spool) {
    owner_.handle = handle;
    owner_.context = context;
    out_.add_plain(io_.fd());
    if (!model.prepare) client_.start(Clock::now());  // an application may never ask for anything
}

// ---- the work

void Handle::pump() {
    io_.run_ready();
    const Time now = Clock::now();
    client_.tick(now);
    requests_.tick(now);
    watches_.tick(now);
    attached_.tick(now);
    write_out();
}

void Handle::write_out() {
    const Time now = Clock::now();
    uint64_t before;
    do {
        before = client_.out().pushed();
        requests_.fill(now);
        client_.flush();
    } while (client_.out().empty() && client_.out().pushed() != before);
    attached_.flush();
    io_.wake_at(std::min({client_.next_tick(), requests_.next_tick(), watches_.next_tick(), attached_.next_tick()}));
    out_.hold(!events_.empty() || closed_);
}

// Something is to be sent. What callbacks say leaves together, when the dispatcher has called enough of them.
void Handle::sent() {
    if (dispatching_ && dispatcher_ == std::this_thread::get_id()) return;
    write_out();
}

void Handle::wait(Lock& lock, int fd, const EventFd* other, Time until) {
    pollfd p[2] = {{fd, POLLIN, 0}, {other ? other->fd() : -1, POLLIN, 0}};
    const int ms = poll_milliseconds(until);
    lock.unlock();
    (void)::poll(p, 2, ms);
    lock.lock();
}

// ---- dispatching

bool Handle::call_one(Lock& lock) {
    while (!events_.empty()) {
        const Event event = events_.pop();
        if (event.begin && !event.begin()) continue;
        lock.unlock();
        event.run();
        lock.lock();
        return true;
    }
    return false;
}

cs_error_t Handle::dispatch(cs_dispatch_flags_t flags) {
    Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    if (dispatching_) return CS_ERR_BUSY;
    // Also when a callback throws what was written in C++.
    struct Dispatching {
        Handle& handle;
        Lock& lock;
        ~Dispatching() {
            if (!lock.owns_lock()) lock.lock();
            handle.dispatching_ = false;
        }
    } const dispatching{*this, lock};
    dispatching_ = true;
    dispatcher_ = std::this_thread::get_id();
    pump();
    cs_error_t error = CS_OK;
    size_t due = events_.size();
    for (size_t calls = 1;; ++calls) {
        const bool called = call_one(lock);
        if (closed_) {
            error = finalizer_ == dispatcher_ ? CS_OK : CS_ERR_BAD_HANDLE;
            break;
        }
        if (flags == CS_DISPATCH_ALL && (!called || calls >= due)) break;
        if (called && (flags == CS_DISPATCH_ONE || flags == CS_DISPATCH_ONE_NONBLOCKING)) break;
        if (!called && flags == CS_DISPATCH_ONE_NONBLOCKING) {
            error = CS_ERR_TRY_AGAIN;
            break;
        }
        if (!called) {
            write_out();
            wait(lock, fd(), nullptr, kNever);
        }
        if (!called || calls % kEventsBetweenPumps == 0) pump();
    }
    if (!closed_) write_out();
    return error;
}

void Handle::finalize() {
    const Lock lock(mutex_);
    closed_ = true;
    finalizer_ = std::this_thread::get_id();
    const bool in_callback = dispatching_ && dispatcher_ == finalizer_;
    (void)attached_.detach(!in_callback);
    client_.stop();
    events_.clear();
    wake_waiters();
    out_.hold(true);
}

// ---- the client role

Time Handle::deadline(uint32_t timeout_ms) const {
    return Clock::now() + std::chrono::milliseconds(timeout_ms ? timeout_ms : model_.timeout_ms);
}

void Handle::start_client() {
    if (!client_.wanted()) client_.start(Clock::now());
}

void Handle::done(assent_reply_fn_t fn, void* user, Reply&& reply) {
    if (!fn) return;
    events_.push([this, fn, user, r = std::move(reply)] {
        const assent_reply_t reply = view_of(r);
        fn(owner_.handle, &reply, user);
    });
}

cs_error_t Handle::submit(pb::Request&& request, size_t bytes, uint32_t timeout_ms, assent_reply_fn_t fn, void* user) {
    const Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    if (!requests_.admit(bytes)) return CS_ERR_TRY_AGAIN;
    start_client();
    requests_.submit(std::move(request), bytes, deadline(timeout_ms),
                     [this, fn, user](Reply&& reply) { done(fn, user, std::move(reply)); });
    sent();
    return CS_OK;
}

cs_error_t Handle::wait_for_room(Lock& lock, Waiter& waiter, size_t bytes, Time deadline) {
    while (!requests_.admit(bytes)) {
        if (Clock::now() >= deadline) return CS_ERR_TRY_AGAIN;
        wait(lock, io_.fd(), &waiter.woken, deadline);
        waiter.woken.drain();
        if (closed_) return CS_ERR_BAD_HANDLE;
        pump();
    }
    return CS_OK;
}

cs_error_t Handle::call(pb::Request&& request, size_t bytes, uint32_t timeout_ms, Reply& reply) {
    Waiter waiter;
    Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    const Time until = deadline(timeout_ms);
    start_client();
    waiters_.insert(&waiter);
    cs_error_t error = wait_for_room(lock, waiter, bytes, until);
    if (error == CS_OK) {
        requests_.submit(std::move(request), bytes, until, [&waiter](Reply&& r) {
            waiter.reply = std::move(r);
            waiter.woken.signal();
        });
        write_out();
        while (!waiter.reply && !closed_) {
            wait(lock, io_.fd(), &waiter.woken, kNever);
            waiter.woken.drain();
            if (!closed_) pump();
        }
        if (waiter.reply)
            reply = std::move(*waiter.reply);
        else
            error = CS_ERR_BAD_HANDLE;
    }
    waiters_.erase(&waiter);
    return error;
}

void Handle::wake_waiters() {
    for (Waiter* w : waiters_) w->woken.signal();
}

cs_error_t Handle::watch(uint64_t from, assent_watch_fn_t fn, void* user, uint64_t& watch) {
    const Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    start_client();
    watch = watches_.add(from, fn, user);
    sent();
    return watch ? CS_OK : CS_ERR_TRY_AGAIN;
}

cs_error_t Handle::unwatch(uint64_t watch) {
    const Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    const bool was = watches_.remove(watch);
    sent();
    return was ? CS_OK : CS_ERR_NOT_EXIST;
}

void Handle::show(bool connected, const std::string& reason) {
    if (connected == connected_ && reason == shown_reason_) return;
    connected_ = connected;
    shown_reason_ = reason;
    if (!model_.connection) return;
    events_.push(
        [this, connected, reason] { model_.connection(owner_.handle, connected, reason.c_str(), owner_.context); });
}

// ---- both

cs_error_t Handle::attach(const char* group, uint64_t applied, const assent_cluster_id_t& cluster) {
    const Lock lock(mutex_);
    if (closed_) return CS_ERR_BAD_HANDLE;
    if (!model_.prepare || !model_.confirm || !model_.query) return CS_ERR_INVALID_PARAM;
    if (address_.find('/') == std::string::npos) return CS_ERR_NOT_SUPPORTED;
    const cs_error_t error = attached_.attach(group ? group : group_, applied, cluster, Clock::now());
    sent();
    return error;
}

void Handle::state(assent_state_t& s) {
    const Lock lock(mutex_);
    const bool tells = requests_.cluster().high || requests_.cluster().low;
    s.connected = client_.up();
    s.attached = attached_.state();
    s.master = attached_.master();
    s.node = requests_.node();
    s.outstanding = uint32_t(requests_.outstanding());
    s.max_outstanding = requests_.limits().outstanding;
    s.queued_bytes = uint32_t(std::min<size_t>(requests_.bytes(), UINT32_MAX));
    s.max_queued_bytes = uint32_t(requests_.limits().bytes);
    s.max_request_bytes = kMaxRequest;
    s.cluster = tells ? requests_.cluster() : attached_.cluster();
    s.delivered = attached_.delivered();
    s.applied = attached_.applied_index();
    s.connects = requests_.connects();
}

assent_reply_t view_of(const Reply& r) {
    assent_reply_t v{};
    v.size = sizeof v;
    v.outcome = r.outcome;
    v.error = r.error;
    v.code = r.code;
    v.index = r.index;
    v.epoch = r.epoch;
    v.id = r.id;
    v.data = r.data.empty() ? nullptr : r.data.data();
    v.length = r.data.size();
    v.reason = r.reason.c_str();
    return v;
}

}  // namespace assent::lib
