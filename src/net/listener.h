// A listening socket on the loop.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "net/address.h"

namespace assent::net {

// Loop's thread only.
class Listener {
  public:
    // A connected non-blocking socket; `from` is of no meaning on a unix socket.
    using AcceptFn = std::function<void(Fd socket, const Address& from)>;

    // Both throw Failure when they cannot listen there.
    Listener(Loop& loop, const Address& at, AcceptFn on_accept);
    // A unix socket: for its owner and `group` (if there is such a group), 0660. A file left behind by a daemon that died is
    // replaced; one where somebody still listens, or that is no socket, is not.
    Listener(Loop& loop, const std::string& path, const std::string& group, AcceptFn on_accept);
    // Removes the unix socket if it is still this one.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // The one the kernel chose, if it was given as 0.
    uint16_t port() const;

  private:
    void watch();
    void ready();
    void rest();

    Loop& loop_;
    Fd fd_;
    AcceptFn on_accept_;
    std::string path_;     // unix
    struct stat made_ {};  // unix
    Loop::TimerId rest_ = 0;
};

// TCP_NODELAY, keep-alive, and an end to connections whose peer's host is gone.
void tune_tcp(int fd);

}  // namespace assent::net
