#include "net/address.h"

#include <arpa/inet.h>

#include <cstring>

namespace assent::net {

namespace {

const sockaddr_in& v4(const sockaddr_storage& s) { return reinterpret_cast<const sockaddr_in&>(s); }
sockaddr_in& v4(sockaddr_storage& s) { return reinterpret_cast<sockaddr_in&>(s); }
const sockaddr_in6& v6(const sockaddr_storage& s) { return reinterpret_cast<const sockaddr_in6&>(s); }
sockaddr_in6& v6(sockaddr_storage& s) { return reinterpret_cast<sockaddr_in6&>(s); }

}  // namespace

Result<Address> Address::parse(const std::string& ip, uint16_t port) {
    Address a;
    if (ip.empty() || inet_pton(AF_INET6, ip.c_str(), &v6(a.storage_).sin6_addr) == 1) {
        a.storage_.ss_family = AF_INET6;  // the empty one: ::, with IPv4 too
        v6(a.storage_).sin6_port = htons(port);
        return Address(a.storage_);
    }
    if (inet_pton(AF_INET, ip.c_str(), &v4(a.storage_).sin_addr) != 1)
        return Error{"'" + ip + "' is no numeric IP address"};
    a.storage_.ss_family = AF_INET;
    v4(a.storage_).sin_port = htons(port);
    return a;
}

Address::Address(const sockaddr_storage& from) : storage_(from) {
    if (from.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6(from).sin6_addr)) return;
    storage_ = {};
    storage_.ss_family = AF_INET;
    v4(storage_).sin_port = v6(from).sin6_port;
    std::memcpy(&v4(storage_).sin_addr, &v6(from).sin6_addr.s6_addr[12], 4);
}

socklen_t Address::size() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

uint16_t Address::port() const { return ntohs(family() == AF_INET ? v4(storage_).sin_port : v6(storage_).sin6_port); }

Address Address::with_port(uint16_t port) const {
    Address a = *this;
    (family() == AF_INET ? v4(a.storage_).sin_port : v6(a.storage_).sin6_port) = htons(port);
    return a;
}

bool Address::is_any() const {
    return family() == AF_INET ? v4(storage_).sin_addr.s_addr == INADDR_ANY
                               : IN6_IS_ADDR_UNSPECIFIED(&v6(storage_).sin6_addr) != 0;
}

bool Address::same_ip(const Address& other) const {
    if (family() != other.family()) return false;
    if (family() == AF_INET) return v4(storage_).sin_addr.s_addr == v4(other.storage_).sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&v6(storage_).sin6_addr, &v6(other.storage_).sin6_addr);
}

std::string Address::text() const {
    char ip[INET6_ADDRSTRLEN] = "?";
    if (family() == AF_INET)
        inet_ntop(AF_INET, &v4(storage_).sin_addr, ip, sizeof ip);
    else
        inet_ntop(AF_INET6, &v6(storage_).sin6_addr, ip, sizeof ip);
    const std::string port_text = ":" + std::to_string(port());
    return family() == AF_INET ? ip + port_text : "[" + std::string(ip) + "]" + port_text;
}

}  // namespace assent::net
