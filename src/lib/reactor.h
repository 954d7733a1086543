// The one descriptor of a handle: an epoll set of the sockets, a timer, and an eventfd that is readable while callbacks are due.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/event_fd.h"
#include "base/fd.h"

namespace assent::lib {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
constexpr Time kNever = Time::max();

class Reactor {
  public:
    class Source {
      public:
        virtual void ready(uint32_t events) = 0;

      protected:
        ~Source() = default;
    };

    // Throws Failure when the process has no file descriptors left.
    Reactor();
    int fd() const { return epoll_.get(); }

    // False: the kernel refuses.
    bool add(int fd, uint32_t events, Source& source);
    // Readable when that is: another reactor's descriptor.
    void add_plain(int fd);
    void modify(int fd, uint32_t events, Source& source);
    void remove(int fd);

    // The descriptor is readable from then on, until run_ready.
    void wake_at(Time time);
    // The descriptor is readable while this is set.
    void hold(bool readable);
    // Calls the sources that are ready. A source may be called for a socket that it removed meanwhile.
    void run_ready();

  private:
    Fd epoll_, timer_;
    EventFd held_fd_;
    Time armed_ = kNever;
    bool held_ = false;
};

}  // namespace assent::lib
