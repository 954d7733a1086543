#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ctl/commands.h"

namespace assent::ctl {

std::variant<std::string, Problem> read_all(int fd, TimePoint deadline, size_t max_bytes) {
    std::string bytes;
    char part[65536];
    for (;;) {
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return Problem{Exit::timed_out, "standard input did not end within the time limit"};
        pollfd wait{fd, POLLIN, 0};
        int ready = ::poll(&wait, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        ssize_t got = ::read(fd, part, sizeof part);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return Problem{Exit::error, std::string("standard input: ") + std::strerror(errno)};
        if (got == 0) return bytes;
        bytes.append(part, static_cast<size_t>(got));
        if (bytes.size() > max_bytes) {
            return Problem{Exit::bad_data, "standard input is larger than " + std::to_string(max_bytes) + " bytes"};
        }
    }
}

}  // namespace assent::ctl
