#include "net/listener.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/failure.h"
#include "base/log.h"

namespace assent::net {

namespace {

constexpr int kBacklog = 128;
constexpr int kAcceptsPerPass = 64;
constexpr int64_t kRestUs = 100'000;
constexpr unsigned kUserTimeoutMs = 5'000;
constexpr int kUnsentBytes = 256 << 10;

std::string errno_text() { return std::strerror(errno); }

void set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof a.sun_path)
        throw Failure("the socket path '" + path + "' is empty or longer than " +
                      std::to_string(sizeof a.sun_path - 1) + " bytes: choose another --run-dir");
    std::memcpy(a.sun_path, path.data(), path.size());
    return a;
}

// Makes way for a new socket at `path`, or throws.
void remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) return;
    if (!S_ISSOCK(s.st_mode))
        throw Failure("cannot listen on " + path + ": a file that is no socket is there; remove it");
    const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!probe) throw Failure("cannot make a socket: " + errno_text());
    const int rc = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (rc == 0 || errno == EAGAIN)  // EAGAIN: its backlog is full
        throw Failure("another daemon listens on " + path + ": stop it, or start this one with another --run-dir");
    if (errno != ECONNREFUSED && errno != ENOENT)
        throw Failure("cannot find out whether a daemon listens on " + path + ": " + errno_text());
    ::unlink(path.c_str());
}

void give_to_group(const std::string& path, const std::string& name) {
    std::vector<char> buffer(16'384);
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return;
    if (::chown(path.c_str(), uid_t(-1), found->gr_gid) != 0)
        ASSENT_WARNING("cannot give %s to the group %s: %s; its members cannot connect", path.c_str(), name.c_str(),
                       std::strerror(errno));
}

}  // namespace

void tune_tcp(int fd) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, int(kUserTimeoutMs));
    set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytes);  // what waits, waits with us, where it can be seen
}

Listener::Listener(Loop& loop, const Address& at, AcceptFn on_accept) : loop_(loop), on_accept_(std::move(on_accept)) {
    Address address = at;
    fd_ = Fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_ && errno == EAFNOSUPPORT && at.is_any()) {  // a kernel without IPv6
        address = *Address::parse("0.0.0.0", at.port());
        fd_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    }
    if (!fd_) throw Failure("cannot make a socket: " + errno_text());
    set(fd_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.family() == AF_INET6) set(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, address.is_any() ? 0 : 1);
    if (::bind(fd_.get(), address.data(), address.size()) != 0 || ::listen(fd_.get(), kBacklog) != 0)
        throw Failure("cannot listen on " + address.text() + ": " + errno_text());
    watch();
}

Listener::Listener(Loop& loop, const std::string& path, const std::string& group, AcceptFn on_accept)
    : loop_(loop), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      on_accept_(std::move(on_accept)) {
    if (!fd_) throw Failure("cannot make a socket: " + errno_text());
    const sockaddr_un address = unix_address(path);
    remove_stale(path, address);
    ::fchmod(fd_.get(), 0600);  // bind makes the file with this mode: nobody else gets in before its group is set
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw Failure("cannot listen on " + path + ": " + errno_text());
    give_to_group(path, group);
    if (::chmod(path.c_str(), 0660) != 0 || ::lstat(path.c_str(), &made_) != 0 || ::listen(fd_.get(), kBacklog) != 0) {
        const std::string why = errno_text();
        ::unlink(path.c_str());
        throw Failure("cannot listen on " + path + ": " + why);
    }
    path_ = path;
    watch();
}

Listener::~Listener() {
    loop_.cancel(rest_);
    loop_.del_fd(fd_.get());
    struct stat now {};
    if (!path_.empty() && ::lstat(path_.c_str(), &now) == 0 && now.st_ino == made_.st_ino && now.st_dev == made_.st_dev)
        ::unlink(path_.c_str());
}

uint16_t Listener::port() const {
    sockaddr_storage s{};
    socklen_t size = sizeof s;
    if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&s), &size) != 0 || s.ss_family == AF_UNIX) return 0;
    return Address(s).port();
}

void Listener::watch() {
    loop_.add_fd(fd_.get(), Priority::low, EPOLLIN, [this](uint32_t) { ready(); });
}

void Listener::ready() {
    for (int i = 0; i < kAcceptsPerPass; ++i) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        Fd socket(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket) {
            on_accept_(std::move(socket), Address(from));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return rest();
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        // Anything else is about that one connection.
    }
}

// Out of file descriptors: the connection stays ready, and the loop would spin on it.
void Listener::rest() {
    ASSENT_WARNING("cannot accept a connection: %s; new ones wait", std::strerror(errno));
    loop_.mod_fd(fd_.get(), 0);
    rest_ = loop_.timer_once(kRestUs, [this] {
        rest_ = 0;
        loop_.mod_fd(fd_.get(), EPOLLIN);
    });
}

}  // namespace assent::net
