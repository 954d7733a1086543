#include "base/loop.h"

#include <qb/qbdefs.h>
#include <qb/qbloop.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/failure.h"

namespace assent {

namespace {

constexpr size_t kEventsPerBatch = 128;
constexpr size_t kTimersPerBatch = 1024;  // a timer that re-arms itself with no delay must not hold the loop

// timerfd knows no CLOCK_MONOTONIC_RAW; delays are short enough for the slew not to matter.
int64_t monotonic_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

Failure failed(const char* what) { return Failure(std::string(what) + ": " + std::strerror(errno)); }

}  // namespace

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), timer_fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    if (!epoll_) throw failed("cannot make an epoll set");
    if (!timer_fd_) throw failed("cannot make a timerfd");
    // Medium: work that other threads announce comes after what corosync and the peers have to say.
    add_fd(wake_.fd(), Priority::medium, EPOLLIN, [this](uint32_t) { wake_.drain(); });
    add_fd(timer_fd_.get(), Priority::medium, EPOLLIN, [this](uint32_t) {
        uint64_t expirations = 0;
        if (::read(timer_fd_.get(), &expirations, sizeof expirations) > 0) armed_us_ = 0;
    });
    qb_ = qb_loop_create();
    if (!qb_) throw failed("cannot make a libqb loop");
    if (qb_loop_poll_add(qb_, QB_LOOP_HIGH, epoll_.get(), POLLIN, this, &Loop::on_ready) != 0) {
        qb_loop_destroy(qb_);
        throw failed("cannot watch the epoll set with libqb");
    }
}

Loop::~Loop() {
    qb_loop_poll_del(qb_, epoll_.get());
    qb_loop_destroy(qb_);
}

void Loop::run() {
    qb_loop_run(qb_);
    std::lock_guard lock(mutex_);
    stop_ = false;
}

void Loop::stop() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.signal();
}

void Loop::add_fd(int fd, Priority priority, uint32_t events, FdFn fn) {
    const uint64_t id = ++last_id_;
    epoll_event e{};
    e.events = events;
    e.data.u64 = id;  // not the fd: an event of a closed fd must not reach the one that got its number
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) != 0) throw failed("cannot watch a file descriptor");
    watches_.emplace(id, Watch{fd, priority, std::make_shared<FdFn>(std::move(fn))});
    watch_of_fd_[fd] = id;
}

void Loop::mod_fd(int fd, uint32_t events) {
    auto it = watch_of_fd_.find(fd);
    if (it == watch_of_fd_.end()) return;
    epoll_event e{};
    e.events = events;
    e.data.u64 = it->second;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &e) != 0) throw failed("cannot change a watched file descriptor");
}

void Loop::del_fd(int fd) {
    auto it = watch_of_fd_.find(fd);
    if (it == watch_of_fd_.end()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    watches_.erase(it->second);
    watch_of_fd_.erase(it);
}

Loop::TimerId Loop::timer_once(int64_t delay_us, Fn fn) {
    const TimerId id = ++last_id_;
    const int64_t due = monotonic_us() + std::max<int64_t>(delay_us, 0);
    timers_.emplace(Due{due, id}, std::move(fn));
    due_of_timer_.emplace(id, due);
    arm_timer();
    return id;
}

void Loop::cancel(TimerId id) {
    auto it = due_of_timer_.find(id);
    if (it == due_of_timer_.end()) return;
    timers_.erase(Due{it->second, id});
    due_of_timer_.erase(it);
    // The timerfd stays as it is: one needless wake is cheaper than a system call a cancellation.
}

void Loop::arm_timer() {
    if (timers_.empty()) return;
    const int64_t due = timers_.begin()->first.first;
    if (armed_us_ != 0 && armed_us_ <= due) return;
    itimerspec spec{};
    spec.it_value.tv_sec = due / 1'000'000;
    spec.it_value.tv_nsec = due % 1'000'000 * 1000;
    ::timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    armed_us_ = due;
}

void Loop::on_signal(int signal_number, Fn fn) {
    auto signal = std::make_unique<Signal>(Signal{this, std::move(fn)});
    qb_loop_signal_handle handle{};
    if (qb_loop_signal_add(qb_, QB_LOOP_HIGH, signal_number, signal.get(), &Loop::on_raised, &handle) != 0)
        throw Failure(std::string("cannot handle signal ") + strsignal(signal_number));
    signals_.push_back(std::move(signal));
}

void Loop::defer(Fn fn) {
    if (deferred_.empty()) wake_.signal();  // needed when no batch is at hand, and for what a deferred call defers
    deferred_.push_back(std::move(fn));
}

void Loop::post(Fn fn) {
    bool first;
    {
        std::lock_guard lock(mutex_);
        first = posted_.empty();
        posted_.push_back(std::move(fn));
    }
    if (first) wake_.signal();
}

Loop::HookId Loop::on_batch_end(Fn fn) {
    const HookId id = ++last_id_;
    hooks_.emplace(id, std::make_shared<Fn>(std::move(fn)));
    return id;
}

void Loop::remove_hook(HookId id) { hooks_.erase(id); }

void Loop::run_batch() {
    run_fds();
    run_timers();
    finish_batch();
}

void Loop::run_fds() {
    epoll_event events[kEventsPerBatch];
    const int n = ::epoll_wait(epoll_.get(), events, kEventsPerBatch, 0);
    for (Priority p : {Priority::high, Priority::medium, Priority::low}) {
        for (int i = 0; i < n; ++i) {
            const uint64_t id = events[i].data.u64;  // a copy: the kernel's struct is packed
            auto it = watches_.find(id);
            if (it == watches_.end() || it->second.priority != p) continue;
            const std::shared_ptr<FdFn> fn = it->second.fn;  // it may remove itself
            (*fn)(events[i].events);
        }
    }
}

void Loop::run_timers() {
    const int64_t now = timers_.empty() ? 0 : monotonic_us();
    for (size_t n = 0; n < kTimersPerBatch && !timers_.empty() && timers_.begin()->first.first <= now; ++n) {
        auto node = timers_.extract(timers_.begin());
        due_of_timer_.erase(node.key().second);
        node.mapped()();
    }
    arm_timer();
}

void Loop::finish_batch() {
    std::vector<Fn> calls;
    calls.swap(deferred_);
    {
        std::lock_guard lock(mutex_);
        calls.insert(calls.end(), std::make_move_iterator(posted_.begin()), std::make_move_iterator(posted_.end()));
        posted_.clear();
        if (stop_) qb_loop_stop(qb_);
    }
    for (Fn& call : calls) call();
    for (auto it = hooks_.begin(); it != hooks_.end();) {
        const HookId id = it->first;
        const std::shared_ptr<Fn> fn = it->second;
        (*fn)();
        it = hooks_.upper_bound(id);
    }
}

int32_t Loop::on_ready(int32_t, int32_t, void* data) {
    static_cast<Loop*>(data)->run_batch();
    return 0;
}

int32_t Loop::on_raised(int32_t, void* data) {
    auto* signal = static_cast<Signal*>(data);
    signal->fn();
    signal->loop->finish_batch();
    return 0;
}

}  // namespace assent
