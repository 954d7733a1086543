// A connection to the daemon that comes back: dials, greets, and begins anew with back-off when it is lost. Nothing in here
// waits. The owner's hooks are called by ready() and tick() alone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "lib/reactor.h"
#include "lib/resolver.h"
#include "net/frames.h"
#include "proto/client.pb.h"

namespace assent::lib {

class Session : public Reactor::Source {
  public:
    struct Hooks {
        std::function<void(const pb::HelloReply&)> up;  // may call fail()
        std::function<void(pb::ServerFrame&&, size_t bytes)> frame;
        // A session that was up is lost, or an attempt to get one failed. It is tried again unless stop() is called.
        std::function<void(bool was_up, pb::Code, const std::string& reason)> down;
    };

    // `group` of the Hello: empty if no client id is wanted.
    Session(Reactor& reactor, std::string where, std::string group, std::string program, Hooks hooks);
    ~Session();

    void start(Time now);
    void stop();
    bool wanted() const { return wanted_; }
    bool up() const { return state_ == State::up; }
    // Why it is not up, for people.
    const std::string& reason() const { return reason_; }
    pb::Code code() const { return code_; }

    // Queues a frame. Dropped when the session is not up.
    void push(const pb::ClientFrame& frame);
    const net::OutQueue& out() const { return out_; }
    // Writes what goes without waiting; a failure shows in the next tick().
    void flush();
    // Gives the session up, at the next tick(): the daemon said what cannot be, or asks for it. It is begun again after
    // the back-off, or `pause` if that is longer.
    void fail(pb::Code code, const std::string& reason, std::chrono::milliseconds pause = std::chrono::milliseconds(0));
    // Reads nothing meanwhile.
    void pause(bool paused);

    void ready(uint32_t events) override;
    void tick(Time now);
    Time next_tick() const;

  private:
    enum class State : uint8_t { idle, waiting, resolving, connecting, greeting, up };

    void dial(Time now);
    void connect(Time now);
    bool open_socket(const sockaddr* address, socklen_t size);
    void connected();
    void receive();
    void handle(pb::ServerFrame&& frame, size_t bytes);
    void end(Time now);
    void watch();

    Reactor& reactor_;
    const std::string where_, group_, program_;
    const Hooks hooks_;
    bool wanted_ = false;
    State state_ = State::idle;
    Fd socket_;
    net::FrameReader in_;
    net::OutQueue out_;
    uint32_t watched_ = 0;
    bool paused_ = false;
    std::unique_ptr<Resolver> resolver_;
    std::vector<SocketAddress> addresses_;  // still to be tried
    std::chrono::milliseconds back_off_;
    std::chrono::milliseconds pause_{0};
    Time since_{};  // of the state
    Time next_{kNever};
    bool failed_ = false;
    pb::Code code_ = pb::NOT_REACHABLE;
    std::string reason_ = "the daemon was not asked yet";
};

}  // namespace assent::lib
