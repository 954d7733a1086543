// An eventfd: how a thread wakes the loop of another.
#pragma once

#include "base/fd.h"

namespace assent {

class EventFd {
  public:
    // Throws Failure when the process has no file descriptors left.
    EventFd();

    // Makes the fd readable; several signals before one drain count as one. Any thread, never blocks.
    void signal();

    // Takes the signals away; true if there were any. What the signal announced must be looked at *after* this call.
    bool drain();

    int fd() const { return fd_.get(); }

  private:
    Fd fd_;
};

}  // namespace assent
