// The other end of libassent: a daemon on a unix socket that says what the target wants, in the thread of the library. It
// keeps what both say in a session.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "base/fd.h"
#include "core/assert.h"
#include "net/frames.h"
#include "proto/client.pb.h"

namespace assent::fuzz {

class ScriptedDaemon {
  public:
    ScriptedDaemon() {
        ASSENT_ASSERT(::mkdtemp(folder_.data()));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        listening_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ASSENT_ASSERT(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        ASSENT_ASSERT(::listen(listening_.get(), 64) == 0);
    }
    ~ScriptedDaemon() {
        ::unlink(path().c_str());
        ::rmdir(folder_.c_str());
    }
    std::string path() const { return folder_ + "/sock"; }
    bool connected() const { return bool(socket_); }

    // The newest connection, if there is one that was not accepted yet.
    bool accept() {
        Fd newest;
        while (Fd next{::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)})
            newest = std::move(next);
        if (!newest) return false;
        socket_ = std::move(newest);
        in_ = net::FrameReader(64u << 20);
        said_ = net::FrameReader(64u << 20);
        return true;
    }
    void close() { socket_.reset(); }

    // `frame` gets what a reader understands of it.
    void say(std::string_view bytes, const std::function<void(const pb::ServerFrame&)>& frame) {
        if (!socket_) return;
        if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != ssize_t(bytes.size())) return close();
        said_.feed(bytes);
        std::string_view one;
        while (said_.next(one)) {
            pb::ServerFrame f;
            if (f.ParseFromArray(one.data(), int(one.size()))) frame(f);
        }
    }
    // What the library said: always whole frames that can be read.
    void hear(const std::function<void(pb::ClientFrame&&)>& frame) {
        if (!socket_) return;
        const bool open = in_.read_from(socket_.get(), SIZE_MAX) == net::FrameReader::Input::open;
        std::string_view one;
        while (in_.next(one)) {
            pb::ClientFrame f;
            ASSENT_ASSERT(f.ParseFromArray(one.data(), int(one.size())));
            frame(std::move(f));
        }
        ASSENT_ASSERT(!in_.broken());
        if (!open) close();
    }

  private:
    std::string folder_ = "/tmp/assent-fuzz-XXXXXX";
    Fd listening_, socket_;
    net::FrameReader in_{64u << 20}, said_{64u << 20};
};

inline std::string framed(std::string_view payload) {
    return net::frame_length(payload.size()).append(payload.begin(), payload.end());
}

}  // namespace assent::fuzz
