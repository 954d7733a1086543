#include "lib/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/resolver.h"

namespace assent {

namespace {

Dialled unreachable(const std::string& where, const std::string& why) {
    return {Fd(), pb::NOT_REACHABLE, "cannot reach the daemon at " + where + ": " + why + "; does assentd run there?"};
}

Dialled too_late(const std::string& where) {
    return {Fd(), pb::TIMED_OUT, "the daemon at " + where + " did not answer in time"};
}

// 0, or what went wrong; ETIMEDOUT at the deadline.
int finish_connect(int fd, Deadline deadline) {
    pollfd p{fd, POLLOUT, 0};
    for (;;) {
        const int n = ::poll(&p, 1, milliseconds_until(deadline));
        if (n == 0) return ETIMEDOUT;
        if (n > 0) break;
        if (errno != EINTR) return errno;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

int connect_to(Fd& socket, const sockaddr* address, socklen_t size, Deadline deadline) {
    socket = Fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return errno;
    for (;;) {
        if (::connect(socket.get(), address, size) == 0) return 0;
        if (errno == EINPROGRESS) return finish_connect(socket.get(), deadline);
        if (errno != EAGAIN) return errno;
        // A unix socket whose backlog is full tells nothing when it has room again.
        if (milliseconds_until(deadline) == 0) return ETIMEDOUT;
        ::poll(nullptr, 0, std::min(10, milliseconds_until(deadline)));
    }
}

Dialled dial_unix(const std::string& path, Deadline deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return {Fd(), pb::USAGE, "the socket path '" + path + "' is too long"};
    std::memcpy(address.sun_path, path.data(), path.size());
    Dialled d;
    const int error = connect_to(d.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
    if (error == ETIMEDOUT) return too_late(path);
    if (error == EACCES || error == EPERM)
        return {Fd(), pb::NOT_PERMITTED, "no permission to connect to " + path + ": be root or in the group assent"};
    if (error != 0) return unreachable(path, std::strerror(error));
    return d;
}

Dialled dial_tcp(const std::string& where, Deadline deadline) {
    Resolver resolver;
    if (const std::string wrong = resolver.start(where); !wrong.empty()) return {Fd(), pb::USAGE, wrong};
    while (resolver.busy()) {
        const int left = milliseconds_until(deadline);
        if (left == 0) return too_late(where);
        resolver.wait(std::chrono::milliseconds(left));
    }
    if (const std::string error = resolver.error(); !error.empty()) return unreachable(where, error);
    Dialled d;
    int error = EADDRNOTAVAIL;
    for (const SocketAddress& a : resolver.addresses()) {
        error = connect_to(d.socket, reinterpret_cast<const sockaddr*>(&a.bytes), a.size, deadline);
        if (error == 0 || error == ETIMEDOUT) break;
    }
    if (error == ETIMEDOUT) return too_late(where);
    if (error != 0) return unreachable(where, std::strerror(error));
    const int on = 1;
    ::setsockopt(d.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return d;
}

}  // namespace

int milliseconds_until(Deadline deadline) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return 0;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return int(std::min<int64_t>(ms, INT32_MAX));
}

Dialled dial(const std::string& where, Deadline deadline) {
    return where.find('/') != std::string::npos ? dial_unix(where, deadline) : dial_tcp(where, deadline);
}

}  // namespace assent
