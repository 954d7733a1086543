#include "lib/reactor.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/failure.h"

namespace assent::lib {

namespace {

constexpr int kBatch = 8;

Fd checked(int fd) {
    if (fd < 0) throw Failure(std::string("no file descriptor left: ") + std::strerror(errno));
    return Fd(fd);
}

}  // namespace

Reactor::Reactor()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC))),
      timer_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK))) {
    add_plain(timer_.get());
    add_plain(held_fd_.fd());
}

void Reactor::add_plain(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        throw Failure(std::string("epoll_ctl: ") + std::strerror(errno));
}

bool Reactor::add(int fd, uint32_t events, Source& source) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Reactor::modify(int fd, uint32_t events, Source& source) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Reactor::remove(int fd) { (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

// An alarm too early costs one dispatch that finds nothing; setting it for every request would cost a call each.
void Reactor::wake_at(Time time) {
    if (time >= armed_) return;
    armed_ = time;
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    itimerspec spec{};
    spec.it_value.tv_sec = std::max<int64_t>(ns, 1) / 1'000'000'000;
    spec.it_value.tv_nsec = std::max<int64_t>(ns, 1) % 1'000'000'000;
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void Reactor::hold(bool readable) {
    if (readable == held_) return;
    held_ = readable;
    if (readable)
        held_fd_.signal();
    else
        held_fd_.drain();
}

void Reactor::run_ready() {
    epoll_event events[kBatch];
    const int n = ::epoll_wait(fd(), events, kBatch, 0);
    if (armed_ <= Clock::now()) {
        uint64_t expired;
        (void)!::read(timer_.get(), &expired, sizeof expired);
        armed_ = kNever;
    }
    for (int i = 0; i < n; ++i) {
        epoll_event event;
        std::memcpy(&event, &events[i], sizeof event);  // it is packed
        if (event.data.ptr) static_cast<Source*>(event.data.ptr)->ready(event.events);
    }
}

}  // namespace assent::lib
