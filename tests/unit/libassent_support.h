// A daemon that says what the test tells it to, on a unix socket. No threads: the test lets the library work while it waits.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>

#include "assent/assent.h"
#include "base/fd.h"
#include "net/frames.h"
#include "proto/client.pb.h"

namespace assent::test {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kEnough{20};

inline void dispatch_all(assent_handle_t handle) {
    if (!handle) return;
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
}

// Dispatches until `done`; false: it did not come about.
inline bool until(assent_handle_t handle, const std::function<bool()>& done) {
    int fd = -1;
    EXPECT_EQ(assent_fd_get(handle, &fd), CS_OK);
    for (const auto end = Clock::now() + kEnough; Clock::now() < end;) {
        dispatch_all(handle);
        if (done()) return true;
        pollfd p{fd, POLLIN, 0};
        ::poll(&p, 1, 5);
    }
    ADD_FAILURE() << "did not come about";
    return false;
}

// One connection, seen from the daemon.
class Peer {
  public:
    Peer() = default;
    explicit Peer(Fd socket) : socket_(std::move(socket)) {}
    void close() { socket_.reset(); }
    explicit operator bool() const { return bool(socket_); }

    // The next frame; lets `handle` work meanwhile (0: none).
    pb::ClientFrame receive(assent_handle_t handle = 0) {
        pb::ClientFrame frame;
        for (const auto end = Clock::now() + kEnough; Clock::now() < end;) {
            std::string_view bytes;
            if (in_.next(bytes)) {
                EXPECT_TRUE(frame.ParseFromArray(bytes.data(), int(bytes.size())));
                return frame;
            }
            dispatch_all(handle);
            pollfd p{socket_.get(), POLLIN, 0};
            ::poll(&p, 1, 5);
            if (in_.read_from(socket_.get(), 1u << 20) != net::FrameReader::Input::open) break;
        }
        ADD_FAILURE() << "no frame came";
        return frame;
    }
    pb::Request request(assent_handle_t handle = 0) { return receive(handle).request(); }
    pb::FromApplication said(assent_handle_t handle) { return receive(handle).application(); }
    // Nothing has come so far, after the library has worked.
    bool silent(assent_handle_t handle) {
        dispatch_all(handle);
        std::string_view bytes;
        (void)in_.read_from(socket_.get(), 1u << 20);
        return !in_.next(bytes);
    }
    // The library has closed it.
    bool closed(assent_handle_t handle) {
        for (const auto end = Clock::now() + kEnough; Clock::now() < end;) {
            dispatch_all(handle);
            if (in_.read_from(socket_.get(), 1u << 20) != net::FrameReader::Input::open) return true;
            pollfd p{socket_.get(), POLLIN, 0};
            ::poll(&p, 1, 5);
        }
        return false;
    }

    void raw(std::string_view bytes) const {
        ASSERT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
    }
    void send(const pb::ServerFrame& frame) const {
        const std::string bytes = frame.SerializeAsString();
        raw(net::frame_length(bytes.size()) + bytes);
    }
    void hello(uint64_t client, uint64_t cluster = 7) const {
        pb::ServerFrame frame;
        frame.mutable_hello()->set_protocol(1);
        frame.mutable_hello()->set_node(3);
        frame.mutable_hello()->set_cluster_high(cluster);
        frame.mutable_hello()->set_cluster_low(cluster);
        frame.mutable_hello()->mutable_client()->set_birth(5);
        frame.mutable_hello()->mutable_client()->set_random(client);
        send(frame);
    }
    void reply(uint64_t id, pb::Code code, const std::string& reason = "", uint64_t index = 0,
               const std::string& result = "") const {
        pb::ServerFrame frame;
        pb::Reply& r = *frame.mutable_reply();
        r.set_id(id);
        r.set_code(code);
        r.set_reason(reason);
        r.set_index(index);
        r.set_result(result);
        send(frame);
    }
    void attached(pb::Code code, uint64_t next = 1, const std::string& reason = "", uint64_t cluster = 7) const {
        pb::ServerFrame frame;
        frame.mutable_attach()->set_code(code);
        frame.mutable_attach()->set_reason(reason);
        frame.mutable_attach()->set_next(next);
        frame.mutable_attach()->set_cluster_high(cluster);
        frame.mutable_attach()->set_cluster_low(cluster);
        send(frame);
    }
    void say(const std::function<void(pb::ToApplication&)>& fill) const {
        pb::ServerFrame frame;
        fill(*frame.mutable_application());
        send(frame);
    }
    void prepare(uint64_t index, uint64_t ask, const std::string& data = "data") const {
        say([&](auto& m) {
            m.mutable_prepare()->set_index(index);
            m.mutable_prepare()->set_ask(ask);
            m.mutable_prepare()->set_data(data);
        });
    }
    void confirm(uint64_t index, const std::string& data = "data") const {
        say([&](auto& m) {
            m.mutable_confirm()->set_index(index);
            m.mutable_confirm()->set_data(data);
        });
    }
    void cancel(uint64_t index, const std::string& reason) const {
        say([&](auto& m) {
            m.mutable_cancel()->set_index(index);
            m.mutable_cancel()->set_reason(reason);
        });
    }
    void withdraw(uint64_t from) const {
        say([&](auto& m) { m.mutable_withdraw()->set_from(from); });
    }

  private:
    Fd socket_;
    net::FrameReader in_{64u << 20};
};

class ScriptedDaemon {
  public:
    ScriptedDaemon() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
    ~ScriptedDaemon() {
        stop();
        ::rmdir(folder_.c_str());
    }
    std::string path() const { return folder_ + "/sock"; }
    std::string folder() const { return folder_; }
    void start() {
        sockaddr_un a{};
        a.sun_family = AF_UNIX;
        path().copy(a.sun_path, sizeof a.sun_path - 1);
        listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
        ASSERT_EQ(::listen(listener_.get(), 16), 0);
    }
    void stop() {
        listener_.reset();
        ::unlink(path().c_str());
    }
    Peer accept(assent_handle_t handle = 0) {
        for (const auto end = Clock::now() + kEnough; Clock::now() < end;) {
            Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (socket) return Peer(std::move(socket));
            dispatch_all(handle);
            pollfd p{listener_.get(), POLLIN, 0};
            ::poll(&p, 1, 5);
        }
        ADD_FAILURE() << "nobody connected";
        return {};
    }
    // A session that is greeted.
    Peer client(assent_handle_t handle, uint64_t client, uint64_t cluster = 7) {
        Peer peer = accept(handle);
        if (!peer) return peer;
        greeting = peer.receive(handle).hello();
        peer.hello(client, cluster);
        return peer;
    }
    // One that has sent Attach.
    Peer application(assent_handle_t handle) {
        Peer peer = client(handle, 0);
        if (peer) attach = peer.receive(handle).attach();
        return peer;
    }

    pb::Hello greeting;  // of the last session
    pb::Attach attach;

  private:
    std::string folder_ = "/tmp/assent-test-XXXXXX";
    Fd listener_;
};

// `path` must outlive the model.
assent_model_v1_data_t model_for(std::string&& path) = delete;
inline assent_model_v1_data_t model_for(const std::string& path) {
    assent_model_v1_data_t m{};
    m.model = ASSENT_MODEL_V1;
    m.size = sizeof m;
    m.address = path.c_str();
    return m;
}

}  // namespace assent::test
