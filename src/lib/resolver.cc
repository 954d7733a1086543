#include "lib/resolver.h"

#include <cstring>

namespace assent {

Resolver::~Resolver() {
    // A lookup that cannot be cancelled keeps its memory.
    if (busy() && ::gai_cancel(&lookup_->request) != EAI_CANCELED && busy()) (void)lookup_.release();
}

std::string Resolver::start(const std::string& where) {
    const size_t colon = where.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == where.size())
        return "'" + where + "' is neither the path of a socket nor HOST:PORT";
    lookup_ = std::make_unique<Lookup>();
    std::string& host = lookup_->host;
    host = where.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    lookup_->port = where.substr(colon + 1);
    lookup_->hints.ai_socktype = SOCK_STREAM;
    lookup_->request.ar_name = host.c_str();
    lookup_->request.ar_service = lookup_->port.c_str();
    lookup_->request.ar_request = &lookup_->hints;
    gaicb* list[] = {&lookup_->request};
    lookup_->started = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr);
    return {};
}

bool Resolver::busy() const {
    return lookup_ && lookup_->started == 0 && ::gai_error(&lookup_->request) == EAI_INPROGRESS;
}

void Resolver::wait(std::chrono::milliseconds time) const {
    if (!busy()) return;
    const gaicb* list[] = {&lookup_->request};
    const timespec t{time.count() / 1000, time.count() % 1000 * 1'000'000L};
    ::gai_suspend(list, 1, &t);
}

std::string Resolver::error() const {
    const int code = lookup_->started ? lookup_->started : ::gai_error(&lookup_->request);
    return code == 0 ? std::string() : ::gai_strerror(code);
}

std::vector<SocketAddress> Resolver::addresses() const {
    std::vector<SocketAddress> all;
    for (const addrinfo* a = lookup_->request.ar_result; a; a = a->ai_next) {
        SocketAddress address;
        if (a->ai_addrlen > sizeof address.bytes) continue;
        std::memcpy(&address.bytes, a->ai_addr, a->ai_addrlen);
        address.size = a->ai_addrlen;
        all.push_back(address);
    }
    return all;
}

}  // namespace assent
