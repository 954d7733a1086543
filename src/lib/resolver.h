// HOST:PORT looked up without blocking: getaddrinfo has no time limit, getaddrinfo_a has.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace assent {

struct SocketAddress {
    sockaddr_storage bytes{};
    socklen_t size = 0;
};

class Resolver {
  public:
    Resolver() = default;
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // Begins to look `where` up: HOST:PORT or [IPv6]:PORT. Empty, or what is wrong with it.
    std::string start(const std::string& where);
    // Looking; may be asked as often as wanted. Once it is false, error() is empty or addresses() has at least one.
    bool busy() const;
    // Waits until it is no longer busy, or so long.
    void wait(std::chrono::milliseconds time) const;
    std::string error() const;
    std::vector<SocketAddress> addresses() const;

  private:
    struct Lookup {
        std::string host, port;
        addrinfo hints{};
        gaicb request{};
        int started = 0;  // an EAI_ number
        ~Lookup() {
            if (request.ar_result) ::freeaddrinfo(request.ar_result);
        }
    };
    std::unique_ptr<Lookup> lookup_;
};

}  // namespace assent
