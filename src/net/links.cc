#include "net/links.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"
#include "core/message.h"
#include "proto/peer.pb.h"

namespace assent::net {

namespace {

constexpr size_t kMaxStrangers = 64;
constexpr size_t kSpareAccepted = 16;

std::string head(FrameKind kind) { return std::string(1, char(kind)); }

Address parsed(const std::string& ip, uint16_t port) {
    Result<Address> address = Address::parse(ip, port);
    if (!address)
        throw Failure("cannot listen for other nodes: " + address.error() + "; see 'listen' in corosync.conf");
    return *address;
}

// Kind and payload; kind 0 for an empty frame.
std::pair<FrameKind, std::string_view> taken_apart(std::string_view frame) {
    if (frame.empty()) return {};
    return {FrameKind(frame[0]), frame.substr(1)};
}

std::string milliseconds(int64_t us) { return std::to_string(us / 1000) + " ms"; }

}  // namespace

// A node of the nodelist, and the connection dialled to it.
struct Links::Peer {
    NodeId node;
    PeerAddress where;
    Address address;
    std::shared_ptr<Stream> stream;
    bool up = false;
    unsigned failures = 0;  // since it was up
    Loop::TimerId redial = 0;
    int64_t dialled_us = 0;
    int64_t progress_us = 0;  // bytes left, or none waited
    uint64_t written = 0;     // of the stream, at progress_us
    int64_t pinged_us = 0;
    bool ping_out = false;     // no PONG yet
    uint64_t ping_end = 0;     // OutQueue::pushed() after the PING
    int64_t ping_sent_us = 0;  // when it was seen to be out; 0: not yet
};

// A connection that another node dialled.
struct Links::Accepted {
    uint64_t id = 0;
    Address from;
    std::shared_ptr<Stream> stream;
    NodeId node;  // 0: no HELLO yet
    int64_t heard_us = 0;
};

Links::Links(Loop& loop, LinkOptions options, FrameFn on_frame, ChangedFn on_changed)
    : loop_(loop), options_(std::move(options)),
      source_(options_.source_ip.empty() ? std::nullopt : std::optional(parsed(options_.source_ip, 0))),
      on_frame_(std::move(on_frame)),
      on_changed_(std::move(on_changed)), limits_{.frame = options_.max_frame, .queue = options_.queue_bytes},
      random_(options_.incarnation.value ^ options_.node.value),
      listener_(loop, parsed(options_.listen_ip, options_.listen_port),
                [this](Fd socket, const Address& from) { accept(std::move(socket), from); }) {
    ticked_us_ = raw_now_us();
    tick_ = loop_.timer_once(options_.ping_us / 2, [this] { tick(); });
}

Links::~Links() {
    loop_.cancel(tick_);
    for (auto& [node, peer] : peers_) drop(*peer);
    for (auto& [id, link] : accepted_) link->stream->close();
}

void Links::set_peers(const std::map<NodeId, PeerAddress>& peers) {
    std::erase_if(peers_, [&](auto& item) {
        const auto it = peers.find(item.first);
        if (it != peers.end() && it->second == item.second->where) return false;
        drop(*item.second);
        return true;
    });
    for (const auto& [node, where] : peers) {
        if (node == options_.node || peers_.contains(node)) continue;
        const Result<Address> address = Address::parse(where.ip, where.port);
        if (!address || where.ip.empty()) {
            ASSENT_WARNING("no link to node %u: its address '%s' in the nodelist is not numeric", node.value,
                           where.ip.c_str());
            continue;
        }
        auto peer = std::make_unique<Peer>();
        peer->node = node;
        peer->where = where;
        peer->address = *address;
        Peer& added = *(peers_[node] = std::move(peer));
        dial(added);
    }
    std::erase_if(accepted_, [&](auto& item) {
        const bool known = std::any_of(peers_.begin(), peers_.end(),
                                       [&](const auto& p) { return p.second->address.same_ip(item.second->from); });
        const NodeId node = item.second->node;
        if (known && (!node || peers_.contains(node))) return false;
        item.second->stream->close();
        return true;
    });
    strangers_.clear();
}

bool Links::send(NodeId to, FrameKind kind, std::string payload) {
    const auto it = peers_.find(to);
    if (it == peers_.end() || !it->second->up || payload.size() >= options_.max_frame) return false;
    return it->second->stream->push(head(kind), std::move(payload));
}

void Links::flush() {
    for (auto& [node, peer] : peers_) {
        // The stream may end in there and the peer let go of it.
        if (const auto stream = peer->stream; stream && !stream->out().empty()) stream->flush();
    }
}

std::vector<NodeId> Links::up() const {
    std::vector<NodeId> nodes;
    for (const auto& [node, peer] : peers_) {
        if (peer->up) nodes.push_back(node);
    }
    return nodes;
}

void Links::changed() {
    if (change_pending_) return;
    change_pending_ = true;
    loop_.defer([this, weak = std::weak_ptr(alive_)] {
        if (weak.expired()) return;
        change_pending_ = false;
        on_changed_(up());
    });
}

std::string Links::hello(const std::string& refusal) const {
    pb::LinkHello hello;
    hello.set_protocol_min(kProtocolMin);
    hello.set_protocol_max(kProtocolMax);
    hello.set_cluster(options_.cluster);
    hello.set_node(options_.node.value);
    hello.set_incarnation(options_.incarnation.value);
    hello.set_refusal(refusal);
    return hello.SerializeAsString();
}

// ---- what this node dialled

void Links::dial(Peer& peer) {
    peer.redial = 0;
    Fd socket(::socket(peer.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return redial(peer, std::strerror(errno));
    tune_tcp(socket.get());
    if (source_ && source_->family() == peer.address.family() &&
        ::bind(socket.get(), source_->data(), source_->size()) != 0)
        return redial(peer, "cannot use the address " + options_.source_ip + ": " + std::strerror(errno));
    if (::connect(socket.get(), peer.address.data(), peer.address.size()) != 0 && errno != EINPROGRESS)
        return redial(peer, std::strerror(errno));
    peer.stream = Stream::open(
        loop_, std::move(socket), Priority::medium, limits_,
        [this, &peer](std::string_view frame) { answered(peer, frame); },
        [this, &peer](const std::string& why) { redial(peer, why); });
    peer.dialled_us = peer.progress_us = peer.pinged_us = raw_now_us();
    peer.written = 0;
    peer.ping_out = false;
    peer.stream->push(head(FrameKind::hello), hello(""));
}

int64_t Links::backoff(unsigned failures) {
    const int64_t most = std::min(options_.redial_min_us << std::min(failures, 20u), options_.redial_max_us);
    return most / 2 + int64_t(random_() % uint64_t(most / 2 + 1));
}

void Links::redial(Peer& peer, const std::string& why) {
    if (peer.up)
        ASSENT_WARNING("link to node %u at %s is down: %s", peer.node.value, peer.address.text().c_str(), why.c_str());
    else if (peer.failures == 0)
        ASSENT_NOTICE("no link to node %u at %s yet: %s; trying again", peer.node.value, peer.address.text().c_str(),
                      why.c_str());
    const unsigned failures = peer.up ? 0 : peer.failures;
    drop(peer);
    peer.failures = failures + 1;
    peer.redial = loop_.timer_once(backoff(failures), [this, &peer] { dial(peer); });
}

// Leaves the peer without connection and timer.
void Links::drop(Peer& peer) {
    loop_.cancel(peer.redial);
    peer.redial = 0;
    if (peer.stream) peer.stream->close();
    peer.stream.reset();
    if (peer.up) changed();
    peer.up = false;
}

void Links::answered(Peer& peer, std::string_view frame) {
    const auto [kind, payload] = taken_apart(frame);
    if (kind == FrameKind::hello && !peer.up) return welcomed(peer, payload);
    if (kind == FrameKind::pong && peer.up) {
        peer.ping_out = false;
        return;
    }
    redial(peer, "it sent a frame that does not belong there");
}

void Links::welcomed(Peer& peer, std::string_view payload) {
    pb::LinkHello answer;
    if (!answer.ParseFromArray(payload.data(), int(payload.size()))) return redial(peer, "its answer is malformed");
    if (!answer.refusal().empty()) return redial(peer, "it refuses: " + answer.refusal());
    if (answer.node() != peer.node.value)
        return redial(peer, "node " + std::to_string(answer.node()) + " answers at this address");
    if (answer.cluster() != options_.cluster) return redial(peer, "cluster '" + answer.cluster() + "' answers there");
    peer.up = true;
    peer.failures = 0;
    ASSENT_INFO("link to node %u at %s is up", peer.node.value, peer.address.text().c_str());
    changed();
}

void Links::ping(Peer& peer, int64_t now) {
    if (!peer.stream->push(head(FrameKind::ping), "")) return;  // the queue is full: `stall_us` watches it
    peer.pinged_us = now;
    peer.ping_out = true;
    peer.ping_end = peer.stream->out().pushed();
    peer.ping_sent_us = 0;
    const auto stream = peer.stream;
    stream->flush();
}

void Links::check(Peer& peer, int64_t now) {
    if (!peer.stream) return;
    if (!peer.up) {
        if (now - peer.dialled_us > options_.hello_timeout_us)
            redial(peer, "no answer within " + milliseconds(options_.hello_timeout_us));
        return;
    }
    const OutQueue& out = peer.stream->out();
    if (out.empty() || out.written() != peer.written) {
        peer.written = out.written();
        peer.progress_us = now;
    } else if (now - peer.progress_us > options_.stall_us) {
        return redial(peer, "it took nothing for " + milliseconds(options_.stall_us));
    }
    if (!peer.ping_out) {
        if (now - peer.pinged_us >= options_.ping_us) ping(peer, now);
        return;
    }
    // A PING behind a large transfer is late for a good reason: its time runs from when it has left.
    if (peer.ping_sent_us == 0 && out.written() >= peer.ping_end) peer.ping_sent_us = now;
    if (peer.ping_sent_us != 0 && now - peer.ping_sent_us > options_.pong_timeout_us)
        redial(peer, "no PONG within " + milliseconds(options_.pong_timeout_us));
}

void Links::tick() {
    const int64_t now = raw_now_us();
    const int64_t period = options_.ping_us / 2;
    // What this loop slept through is nobody else's delay.
    const int64_t late = std::max<int64_t>(0, now - ticked_us_ - period);
    ticked_us_ = now;
    for (auto& [node, peer] : peers_) {
        peer->dialled_us += late;
        peer->progress_us += late;
        if (peer->ping_sent_us) peer->ping_sent_us += late;
        check(*peer, now);
    }
    std::erase_if(accepted_, [&](auto& item) {
        Accepted& link = *item.second;
        link.heard_us += late;
        if (now - link.heard_us <= (link.node ? options_.silence_us : options_.hello_timeout_us)) return false;
        link.stream->close();
        return true;
    });
    tick_ = loop_.timer_once(period, [this] { tick(); });
}

// ---- what others dialled

void Links::log_refused(const std::string& who, const std::string& why) {
    if (strangers_.size() >= kMaxStrangers || !strangers_.insert(who + why).second) return;
    ASSENT_WARNING("connection from %s refused: %s (further ones are not logged)", who.c_str(), why.c_str());
}

void Links::accept(Fd socket, const Address& from) {
    const bool listed =
        std::any_of(peers_.begin(), peers_.end(), [&](const auto& p) { return p.second->address.same_ip(from); });
    const std::string ip = from.with_port(0).text();
    if (!listed) return log_refused(ip, "no node of the nodelist has this address");
    if (accepted_.size() >= 2 * peers_.size() + kSpareAccepted) return log_refused(ip, "too many connections");
    tune_tcp(socket.get());
    const uint64_t id = ++last_accepted_;
    auto link = std::make_unique<Accepted>();
    link->id = id;
    link->from = from;
    link->heard_us = raw_now_us();
    link->stream = Stream::open(
        loop_, std::move(socket), Priority::medium, limits_,
        [this, id](std::string_view frame) {
            if (const auto it = accepted_.find(id); it != accepted_.end()) received(*it->second, frame);
        },
        [this, id](const std::string&) { accepted_.erase(id); });
    accepted_.emplace(id, std::move(link));
}

void Links::received(Accepted& link, std::string_view frame) {
    const auto [kind, payload] = taken_apart(frame);
    if (link.node) link.heard_us = raw_now_us();
    if (!link.node) {
        if (kind == FrameKind::hello) return greeted(link, payload);
        return refuse(link, "its first frame is no HELLO");
    }
    switch (kind) {
        case FrameKind::ping: {
            const auto stream = link.stream;
            stream->push(head(FrameKind::pong), "");
            return stream->flush();
        }
        case FrameKind::message:
        case FrameKind::forward: return on_frame_(link.node, kind, payload);
        default: return refuse(link, "it sent a frame of an unknown kind");
    }
}

// Why this node does not take the link; empty if it does.
std::string Links::refusal(const Accepted& link, const pb::LinkHello& hello) const {
    if (hello.cluster() != options_.cluster) return "this is cluster '" + options_.cluster + "'";
    if (hello.protocol_min() > kProtocolMax || hello.protocol_max() < kProtocolMin)
        return "this node speaks protocol " + std::to_string(kProtocolMin) + " to " + std::to_string(kProtocolMax);
    const auto peer = peers_.find(NodeId(hello.node()));
    if (peer == peers_.end()) return "node " + std::to_string(hello.node()) + " is not in the nodelist of this node";
    if (!peer->second->address.same_ip(link.from))
        return "node " + std::to_string(hello.node()) + " has another address in the nodelist of this node";
    return "";
}

void Links::refuse(Accepted& link, const std::string& why) {
    log_refused(link.from.with_port(0).text(), why);
    link.node = NodeId();  // its time for a HELLO is its time to go
    const auto stream = link.stream;
    stream->push(head(FrameKind::hello), hello(why));
    stream->finish();
}

void Links::greeted(Accepted& link, std::string_view payload) {
    pb::LinkHello greeting;
    if (!greeting.ParseFromArray(payload.data(), int(payload.size()))) return refuse(link, "its HELLO is malformed");
    if (const std::string why = refusal(link, greeting); !why.empty()) return refuse(link, why);
    const NodeId node(greeting.node());
    std::erase_if(accepted_, [&](auto& item) {  // the newest connection is the one the peer uses
        if (item.second.get() == &link || item.second->node != node) return false;
        item.second->stream->close();
        return true;
    });
    link.node = node;
    Peer& peer = *peers_.at(node);
    if (peer.redial) {  // it is there: no reason to wait
        loop_.cancel(peer.redial);
        dial(peer);
    }
    const auto stream = link.stream;
    stream->push(head(FrameKind::hello), hello(""));
    stream->flush();
}

}  // namespace assent::net
