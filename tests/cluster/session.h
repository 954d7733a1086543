// A session with the daemon, for the load programs of the cluster tests: they speak the client protocol by themselves, so
// that the tests do not trust the client library with what they measure.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "proto/client.pb.h"

namespace assent::cluster_test {

constexpr uint32_t kMaxFrame = 16u << 20;

// CLOCK_MONOTONIC, as Python's time.monotonic(): one for all processes of the machine.
inline int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1'000'000ll + t.tv_nsec / 1000;
}

// One session: frames in and out of a unix socket, without blocking.
class Session {
  public:
    ~Session() { close(); }
    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }
    bool wants_write() const { return !out_.empty(); }

    // Connects and says hello, for a client id of `group` if it is not empty. False: nobody listens there.
    bool open(const std::string& socket_path, const char* program, const std::string& group) {
        close();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (socket_path.size() >= sizeof address.sun_path) throw std::runtime_error("socket path is too long");
        memcpy(address.sun_path, socket_path.data(), socket_path.size());
        fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd_ < 0) throw std::runtime_error("socket: " + std::string(strerror(errno)));
        if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            close();
            return false;
        }
        pb::ClientFrame frame;
        frame.mutable_hello()->set_protocol(1);
        frame.mutable_hello()->set_program(program);
        frame.mutable_hello()->set_group(group);
        send(frame);
        return is_open();
    }

    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
        in_.clear();
        out_.clear();
    }

    void send(const pb::ClientFrame& frame) {
        std::string body = frame.SerializeAsString();
        auto size = static_cast<uint32_t>(body.size());
        for (int shift = 0; shift < 32; shift += 8) out_.push_back(static_cast<char>(size >> shift));
        out_ += body;
        flush();
    }

    // Closes the session on any error.
    void flush() {
        while (is_open() && !out_.empty()) {
            ssize_t n = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
            if (n > 0) {
                out_.erase(0, static_cast<size_t>(n));
            } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                return;
            } else {
                close();
            }
        }
    }

    // Takes in what is there; all whole frames go to `frames`. Closes the session at its end and on any error.
    void receive(std::vector<pb::ServerFrame>& frames) {
        char buffer[65536];
        ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
        if (n > 0) in_.append(buffer, static_cast<size_t>(n));
        while (in_.size() >= 4) {
            uint32_t size = 0;
            for (size_t i = 0; i < 4; ++i) size |= static_cast<uint32_t>(static_cast<unsigned char>(in_[i])) << (8 * i);
            if (size > kMaxFrame)
                throw std::runtime_error("the daemon sent a frame of " + std::to_string(size) + " bytes");
            if (in_.size() < 4 + size) break;
            frames.emplace_back();
            if (!frames.back().ParseFromArray(in_.data() + 4, static_cast<int>(size)))
                throw std::runtime_error("the daemon sent a malformed frame");
            in_.erase(0, 4 + size);
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close();
    }

  private:
    int fd_ = -1;
    std::string in_;
    std::string out_;
};

}  // namespace assent::cluster_test
