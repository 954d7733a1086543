// The event loop of the daemon: an epoll set and a timerfd of our own, nested as one fd of HIGH priority in a qb_loop.
//
// qb_loop alone takes 4 items a level and pass, has millisecond timers and no end-of-pass hook. Nested, everything that
// is ready is handled in one *batch*: fds in order of priority, then due timers, then deferred calls, then the
// batch-end hooks (where the protocol core flushes what it collected). qb_loop keeps the signals, and libqb users can
// hang onto qb().
//
// One Loop at a time in a process: libqb's signal pipe is global.
// All calls are for the loop's thread only, post() and stop() excepted. Handlers may add and remove anything,
// themselves included; a removed fd or timer is never called again, not even with an event already fetched. Handlers
// must not throw.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/event_fd.h"
#include "base/fd.h"

struct qb_loop;

namespace assent {

// The order in which the ready fds of one batch are handled; everything ready is handled in every batch.
enum class Priority : uint8_t { high, medium, low };

class Loop {
  public:
    using FdFn = std::function<void(uint32_t revents)>;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, …
    using Fn = std::function<void()>;
    using TimerId = uint64_t;  // 0 is never used
    using HookId = uint64_t;   // 0 is never used

    // Throws Failure when the process has no file descriptors left.
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Runs until stop().
    void run();
    // Ends run() after the batch at hand. Any thread; also before run(), which then does one batch at most.
    void stop();

    // Watches `fd` (level-triggered) for `events`; the caller keeps owning it and removes it before closing it.
    // Throws Failure if the kernel refuses. The handler sees EPOLLHUP and EPOLLERR unasked: it must then remove the fd.
    void add_fd(int fd, Priority priority, uint32_t events, FdFn fn);
    void mod_fd(int fd, uint32_t events);
    // Does nothing if the fd is not watched.
    void del_fd(int fd);

    // Calls `fn` once, `delay_us` from now (0 or less: in this batch or the next), with microsecond resolution.
    TimerId timer_once(int64_t delay_us, Fn fn);
    // Does nothing if the timer has fired or is 0.
    void cancel(TimerId id);

    // Calls `fn` on the loop for each delivery of the signal.
    void on_signal(int signal_number, Fn fn);

    // Calls `fn` once at the end of the batch at hand; what is deferred meanwhile goes into the next batch, at once.
    void defer(Fn fn);
    // As defer, from any thread.
    void post(Fn fn);

    // Calls `fn` at the end of every batch, in order of registration.
    HookId on_batch_end(Fn fn);
    void remove_hook(HookId id);

    struct qb_loop* qb() {
        return qb_;
    }

  private:
    struct Watch {
        int fd;
        Priority priority;
        std::shared_ptr<FdFn> fn;
    };
    struct Signal {
        Loop* loop;
        Fn fn;
    };
    using Due = std::pair<int64_t, TimerId>;  // CLOCK_MONOTONIC, microseconds

    void run_batch();
    void run_fds();
    void run_timers();
    void finish_batch();
    void arm_timer();
    static int32_t on_ready(int32_t fd, int32_t revents, void* data);
    static int32_t on_raised(int32_t signal_number, void* data);

    struct qb_loop* qb_ = nullptr;
    Fd epoll_;
    Fd timer_fd_;
    EventFd wake_;
    uint64_t last_id_ = 0;  // of watches, timers and hooks
    std::unordered_map<uint64_t, Watch> watches_;
    std::unordered_map<int, uint64_t> watch_of_fd_;
    std::map<Due, Fn> timers_;
    std::unordered_map<TimerId, int64_t> due_of_timer_;
    int64_t armed_us_ = 0;  // what timer_fd_ is set to; 0: nothing
    std::vector<Fn> deferred_;
    std::map<HookId, std::shared_ptr<Fn>> hooks_;
    std::vector<std::unique_ptr<Signal>> signals_;
    std::mutex mutex_;
    std::vector<Fn> posted_;  // under mutex_
    bool stop_ = false;       // under mutex_
};

}  // namespace assent
