#include "lib/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

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

// getaddrinfo has no time limit; getaddrinfo_a has. A lookup that cannot be cancelled keeps its memory.
struct Lookup {
    std::string host, port;
    addrinfo hints{};
    gaicb request{};
};

int resolve(const std::string& host, const std::string& port, Deadline deadline, addrinfo*& found) {
    auto lookup = std::make_unique<Lookup>();
    lookup->host = host;
    lookup->port = port;
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->request.ar_name = lookup->host.c_str();
    lookup->request.ar_service = lookup->port.c_str();
    lookup->request.ar_request = &lookup->hints;
    gaicb* list[] = {&lookup->request};
    if (const int error = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr)) return error;
    while (::gai_error(&lookup->request) == EAI_INPROGRESS) {
        const int left = milliseconds_until(deadline);
        if (left == 0) {
            if (::gai_cancel(&lookup->request) != EAI_CANCELED) (void)lookup.release();
            return EAI_AGAIN;
        }
        const timespec time{left / 1000, left % 1000 * 1'000'000L};
        ::gai_suspend(list, 1, &time);
    }
    found = lookup->request.ar_result;
    return ::gai_error(&lookup->request);
}

Dialled dial_tcp(const std::string& where, Deadline deadline) {
    const size_t colon = where.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == where.size())
        return {Fd(), pb::USAGE, "'" + where + "' is neither the path of a socket nor HOST:PORT"};
    std::string host = where.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    addrinfo* found = nullptr;
    if (const int error = resolve(host, where.substr(colon + 1), deadline, found)) {
        if (milliseconds_until(deadline) == 0) return too_late(where);
        return unreachable(where, ::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    Dialled d;
    int error = EADDRNOTAVAIL;
    for (const addrinfo* a = found; a && error != 0 && error != ETIMEDOUT; a = a->ai_next)
        error = connect_to(d.socket, a->ai_addr, a->ai_addrlen, deadline);
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
