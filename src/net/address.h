// A numeric IP address and port.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/failure.h"

namespace assent::net {

class Address {
  public:
    Address() = default;
    // `ip` is numeric ("10.1.1.1", "fd00::1"), names are not resolved: that would block. Empty: every address of the host.
    static Result<Address> parse(const std::string& ip, uint16_t port);
    explicit Address(const sockaddr_storage& from);

    const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const;
    int family() const { return storage_.ss_family; }
    uint16_t port() const;
    Address with_port(uint16_t port) const;
    bool is_any() const;
    // IPv4 mapped into IPv6 counts as IPv4.
    bool same_ip(const Address& other) const;
    bool operator==(const Address& other) const { return same_ip(other) && port() == other.port(); }
    // "10.1.1.1:5407", "[fd00::1]:5407"
    std::string text() const;

  private:
    sockaddr_storage storage_{};
};

}  // namespace assent::net
