// What the network tests share.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "net/address.h"

namespace assent::test {

// Runs the loop until `done`, which is asked at the end of every batch and every 5 ms; false after ten seconds.
inline bool run_until(
    Loop& loop, const std::function<bool()>& done, const std::function<void()>& flush = [] {}) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool result = false;
    const auto hook = loop.on_batch_end([&] {
        flush();
        result = result || done();
        if (result || std::chrono::steady_clock::now() > deadline) loop.stop();
    });
    Loop::TimerId timer = 0;
    std::function<void()> again = [&] { timer = loop.timer_once(5'000, again); };
    again();
    loop.run();
    loop.cancel(timer);
    loop.remove_hook(hook);
    return result;
}

// A blocking socket connected to ip:port, from `source` if given.
inline Fd connect_to(const std::string& ip, uint16_t port, const std::string& source = "") {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const net::Address to = *net::Address::parse(ip, port);
    if (!source.empty()) {
        const net::Address from = *net::Address::parse(source, 0);
        if (::bind(fd.get(), from.data(), from.size()) != 0) return Fd();
    }
    if (::connect(fd.get(), to.data(), to.size()) != 0) return Fd();
    return fd;
}

// Has the other side closed (whatever it sent before)? Never blocks.
inline bool closed_by_peer(const Fd& fd, std::string* received = nullptr) {
    char buffer[65'536];
    for (;;) {
        const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (n > 0 && received) received->append(buffer, size_t(n));
        if (n == 0 || (n < 0 && errno != EAGAIN)) return true;
        if (n < 0) return false;
    }
}

}  // namespace assent::test
