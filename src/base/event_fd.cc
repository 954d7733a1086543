#include "base/event_fd.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/failure.h"

namespace assent {

EventFd::EventFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!fd_) throw Failure(std::string("cannot make an eventfd: ") + std::strerror(errno));
}

void EventFd::signal() {
    const uint64_t one = 1;
    // EAGAIN means that the counter is full: the reader is already due to wake.
    while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

bool EventFd::drain() {
    uint64_t count = 0;
    ssize_t n;
    do {
        n = ::read(fd_.get(), &count, sizeof count);
    } while (n < 0 && errno == EINTR);
    return n == ssize_t(sizeof count);
}

}  // namespace assent
