// The side channel: a TCP link from every node to every other. A node sends on the connections it dialled and receives on
// those it accepted; what comes back on a dialled one is the answer to its HELLO, and PONGs.
//
// Frames (after the length): a byte for the kind, then the payload. The first frame each way is HELLO with a pb::LinkHello.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "core/types.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/stream.h"

namespace assent::pb {
class LinkHello;
}

namespace assent::net {

enum class FrameKind : uint8_t {
    hello = 1,
    ping = 2,
    pong = 3,
    message = 4,  // payload: wire::encode_message
    forward = 5,  // payload: pb::Forwarded
};

struct PeerAddress {
    std::string ip;  // numeric
    uint16_t port = 0;
    bool operator==(const PeerAddress&) const = default;
};

struct LinkOptions {
    NodeId node;
    Incarnation incarnation;
    std::string cluster;          // corosync's cluster_name: others are refused
    std::string listen_ip;        // numeric; empty: every address
    uint16_t listen_port = 5407;  // 0: the kernel chooses (tests)
    std::string source_ip;        // what peers know this node by, to dial from; empty: the kernel chooses
    int64_t ping_us = 250'000;
    int64_t pong_timeout_us = 1'000'000;   // without a PONG the link is down
    int64_t hello_timeout_us = 1'000'000;  // from dialling to the answer
    int64_t stall_us = 1'000'000;          // without one byte leaving although some wait, the link is down
    int64_t silence_us = 5'000'000;        // without a PING an accepted connection is closed
    int64_t redial_min_us = 50'000;
    int64_t redial_max_us = 1'000'000;
    size_t max_frame = 72u << 20;
    size_t queue_bytes = 80u << 20;  // waiting to be sent to one peer; above max_frame, or the largest never leaves
};

// Loop's thread only. The owner calls flush() at the end of every batch, after everything that may send.
class Links {
  public:
    // The view is valid during the call alone. May call anything here.
    using FrameFn = std::function<void(NodeId from, FrameKind kind, std::string_view payload)>;
    // Sorted. Called from a deferred call, so never from within send, flush or set_peers.
    using ChangedFn = std::function<void(const std::vector<NodeId>& up)>;

    // Throws Failure when it cannot listen.
    Links(Loop& loop, LinkOptions options, FrameFn on_frame, ChangedFn on_changed);
    ~Links();
    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

    // All nodes of the nodelist; this one among them is ignored. Links to those gone or moved are closed, new ones are
    // dialled. Entries whose address is not numeric are left out, with a warning.
    void set_peers(const std::map<NodeId, PeerAddress>& peers);
    // Queues a frame; what a link has not sent when it goes down is lost. False: the link is down or its queue full.
    bool send(NodeId to, FrameKind kind, std::string payload);
    // Writes what was queued.
    void flush();
    // Peers this node can send to, sorted.
    std::vector<NodeId> up() const;
    uint16_t port() const { return listener_.port(); }

  private:
    struct Peer;
    struct Accepted;

    void dial(Peer& peer);
    void redial(Peer& peer, const std::string& why);
    void drop(Peer& peer);
    void answered(Peer& peer, std::string_view frame);
    void welcomed(Peer& peer, std::string_view payload);
    void ping(Peer& peer, int64_t now);
    void check(Peer& peer, int64_t now);
    void accept(Fd socket, const Address& from);
    void received(Accepted& link, std::string_view frame);
    void greeted(Accepted& link, std::string_view payload);
    std::string refusal(const Accepted& link, const pb::LinkHello& hello) const;
    void refuse(Accepted& link, const std::string& why);
    void log_refused(const std::string& who, const std::string& why);
    void tick();
    void changed();
    std::string hello(const std::string& refusal) const;
    int64_t backoff(unsigned failures);

    Loop& loop_;
    const LinkOptions options_;
    const std::optional<Address> source_;
    FrameFn on_frame_;
    ChangedFn on_changed_;
    StreamLimits limits_;
    std::mt19937_64 random_;
    std::map<NodeId, std::unique_ptr<Peer>> peers_;
    std::map<uint64_t, std::unique_ptr<Accepted>> accepted_;
    uint64_t last_accepted_ = 0;
    Listener listener_;
    Loop::TimerId tick_ = 0;
    int64_t ticked_us_ = 0;
    std::set<std::string> strangers_;  // refused and logged
    bool change_pending_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for deferred calls
};

}  // namespace assent::net
