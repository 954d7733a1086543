// Links between nodes: on loopback, node N at 127.0.0.N, all on one loop.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/message.h"
#include "net/links.h"
#include "net_support.h"
#include "proto/peer.pb.h"

namespace assent::net {
namespace {

using test::closed_by_peer;
using test::connect_to;
using test::run_until;

std::string ip(uint32_t node) { return "127.0.0." + std::to_string(node); }

LinkOptions quick(uint32_t node, uint16_t port = 0) {
    LinkOptions o;
    o.node = NodeId(node);
    o.incarnation = Incarnation(node * 1000);
    o.cluster = "test";
    o.listen_ip = o.source_ip = ip(node);
    o.listen_port = port;
    o.ping_us = 20'000;
    o.pong_timeout_us = o.stall_us = 200'000;
    o.hello_timeout_us = 200'000;
    o.redial_min_us = 5'000;
    o.redial_max_us = 20'000;
    return o;
}

struct Node {
    struct Frame {
        NodeId from;
        FrameKind kind;
        std::string payload;
    };
    std::vector<Frame> frames;
    std::vector<std::vector<NodeId>> changes;
    std::unique_ptr<Links> links;

    Node(Loop& loop, LinkOptions options) {
        links = std::make_unique<Links>(
            loop, std::move(options),
            [this](NodeId from, FrameKind kind, std::string_view payload) {
                frames.push_back({from, kind, std::string(payload)});
            },
            [this](const std::vector<NodeId>& up) { changes.push_back(up); });
    }
    bool sees(uint32_t node) const { return links->up() == std::vector{NodeId(node)}; }
};

std::map<NodeId, PeerAddress> peer(uint32_t node, uint16_t port) { return {{NodeId(node), {ip(node), port}}}; }

void join(Node& one, Node& two) {
    one.links->set_peers(peer(2, two.links->port()));
    two.links->set_peers(peer(1, one.links->port()));
}

TEST(Links, ComeUpAndCarryFramesInOrder) {
    Loop loop;
    Node one(loop, quick(1)), two(loop, quick(2));
    const auto flush = [&] { one.links->flush(), two.links->flush(); };
    EXPECT_FALSE(one.links->send(NodeId(2), FrameKind::message, "too early"));
    join(one, two);
    ASSERT_TRUE(run_until(
        loop, [&] { return one.sees(2) && two.sees(1); }, flush));
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(one.links->send(NodeId(2), FrameKind::message, std::to_string(i)));
        ASSERT_TRUE(two.links->send(NodeId(1), FrameKind::forward, std::to_string(i)));
    }
    ASSERT_TRUE(two.links->send(NodeId(1), FrameKind::message, ""));
    ASSERT_TRUE(run_until(
        loop, [&] { return one.frames.size() == 1001 && two.frames.size() == 1000; }, flush));
    for (size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(one.frames[i].payload, std::to_string(i));
        EXPECT_EQ(two.frames[i].payload, std::to_string(i));
    }
    EXPECT_EQ(one.frames[0].from, NodeId(2));
    EXPECT_EQ(one.frames[0].kind, FrameKind::forward);
    EXPECT_EQ(one.frames[1000].kind, FrameKind::message);
    EXPECT_EQ(two.frames[0].kind, FrameKind::message);
    ASSERT_EQ(one.changes.size(), 1u);
    EXPECT_EQ(one.changes[0], std::vector{NodeId(2)});
}

TEST(Links, CarryTheLargestFrameWithoutLosingTheLink) {
    Loop loop;
    Node one(loop, quick(1)), two(loop, quick(2));
    const auto flush = [&] { one.links->flush(), two.links->flush(); };
    join(one, two);
    ASSERT_TRUE(run_until(
        loop, [&] { return one.sees(2) && two.sees(1); }, flush));
    const size_t size = 65u << 20;
    ASSERT_TRUE(one.links->send(NodeId(2), FrameKind::message, std::string(size, 'x')));
    EXPECT_FALSE(one.links->send(NodeId(2), FrameKind::message, std::string(size, 'x'))) << "the queue is bounded";
    EXPECT_FALSE(one.links->send(NodeId(2), FrameKind::message, std::string(72u << 20, 'x'))) << "no frame is larger";
    ASSERT_TRUE(run_until(
        loop, [&] { return two.frames.size() == 1; }, flush));
    EXPECT_EQ(two.frames[0].payload.size(), size);
    EXPECT_EQ(one.changes.size(), 1u) << "it was up all the time";
}

TEST(Links, AreDialledAgainWhenThePeerComesBack) {
    Loop loop;
    Node one(loop, quick(1));
    auto two = std::make_unique<Node>(loop, quick(2));
    const auto flush = [&] {
        one.links->flush();
        if (two) two->links->flush();
    };
    const uint16_t port = two->links->port();
    join(one, *two);
    for (int round = 0; round < 5; ++round) {
        ASSERT_TRUE(run_until(
            loop, [&] { return one.sees(2) && two->sees(1); }, flush))
            << round;
        two.reset();
        ASSERT_TRUE(run_until(
            loop, [&] { return one.links->up().empty(); }, flush))
            << round;
        EXPECT_FALSE(one.links->send(NodeId(2), FrameKind::message, "lost"));
        two = std::make_unique<Node>(loop, quick(2, port));
        two->links->set_peers(peer(1, one.links->port()));
    }
    ASSERT_TRUE(run_until(
        loop, [&] { return one.sees(2) && two->sees(1); }, flush));
    ASSERT_TRUE(one.links->send(NodeId(2), FrameKind::message, "again"));
    ASSERT_TRUE(run_until(
        loop, [&] { return !two->frames.empty(); }, flush));
}

TEST(Links, PeersThatLeaveTheNodelistAreDropped) {
    Loop loop;
    Node one(loop, quick(1)), two(loop, quick(2));
    join(one, two);
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2) && two.sees(1); }));
    one.links->set_peers({});
    EXPECT_TRUE(one.links->up().empty());
    ASSERT_TRUE(run_until(loop, [&] { return two.links->up().empty(); })) << "and refused from then on";
    one.links->set_peers(peer(2, two.links->port()));
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2) && two.sees(1); }));
}

TEST(Links, StrangersAndGarbageGetNowhere) {
    Loop loop;
    Node one(loop, quick(1)), two(loop, quick(2));
    join(one, two);
    const Fd stranger = connect_to(ip(1), one.links->port(), ip(9));
    ASSERT_TRUE(stranger);
    ASSERT_TRUE(run_until(loop, [&] { return closed_by_peer(stranger); })) << "not in the nodelist";
    std::vector<Fd> sockets;
    for (const std::string& bytes : {std::string("\xff\xff\xff\xffxx", 6), frame_length(5) + "GET /", frame_length(0),
                                     frame_length(3) + "\x04"
                                                       "ab",
                                     frame_length(4) + "\x01"
                                                       "\xff\xff\xff"}) {
        sockets.push_back(connect_to(ip(1), one.links->port(), ip(2)));
        ASSERT_TRUE(sockets.back());
        ASSERT_EQ(::send(sockets.back().get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
    }
    sockets.push_back(connect_to(ip(1), one.links->port(), ip(2)));  // and one that says nothing
    // The refused get an answer and a half-close first; to them we are done once we have closed too.
    ASSERT_TRUE(run_until(loop, [&] {
        return std::all_of(sockets.begin(), sockets.end(), [](const Fd& fd) { return closed_by_peer(fd); });
    }));
    EXPECT_TRUE(one.frames.empty());
    EXPECT_TRUE(run_until(loop, [&] { return one.sees(2) && two.sees(1); })) << "the real link does not care";
}

// A peer made of a bare socket: it answers HELLO, and then does what the test does.
struct BarePeer {
    Fd listening{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    Fd connection;
    uint16_t port = 0;

    BarePeer() {
        const Address at = *Address::parse(ip(2), 0);
        EXPECT_EQ(::bind(listening.get(), at.data(), at.size()), 0);
        EXPECT_EQ(::listen(listening.get(), 8), 0);
        sockaddr_storage s{};
        socklen_t size = sizeof s;
        ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&s), &size);
        port = Address(s).port();
    }
    bool take(const std::string& answer) {
        Fd accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!accepted) return false;
        connection = std::move(accepted);
        EXPECT_EQ(::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL), ssize_t(answer.size()));
        return true;
    }
    static std::string hello(uint32_t node) {
        pb::LinkHello hello;
        hello.set_protocol_min(1);
        hello.set_protocol_max(1);
        hello.set_cluster("test");
        hello.set_node(node);
        const std::string payload = "\x01" + hello.SerializeAsString();
        return frame_length(payload.size()) + payload;
    }
};

TEST(Links, AnotherClusterNodeOrProtocolIsToldWhy) {
    Loop loop;
    Node one(loop, quick(1));
    one.links->set_peers({{NodeId(2), {ip(2), 1}}, {NodeId(3), {ip(3), 1}}});
    pb::LinkHello good;
    good.set_protocol_min(1);
    good.set_protocol_max(1);
    good.set_cluster("test");
    good.set_node(2);
    pb::LinkHello cluster = good, unlisted = good, elsewhere = good, protocol = good;
    cluster.set_cluster("other");
    unlisted.set_node(4);
    elsewhere.set_node(3);
    protocol.set_protocol_min(kProtocolMax + 1);
    protocol.set_protocol_max(kProtocolMax + 1);
    for (const auto& [hello, expected] : {std::pair(good, ""),
                                          {cluster, "cluster 'test'"},
                                          {unlisted, "not in the nodelist"},
                                          {elsewhere, "another address"},
                                          {protocol, "protocol"}}) {
        const Fd fd = connect_to(ip(1), one.links->port(), ip(2));
        const std::string payload = "\x01" + hello.SerializeAsString();
        const std::string bytes = frame_length(payload.size()) + payload;
        ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
        FrameReader reader(1'000);
        std::string_view frame;
        ASSERT_TRUE(run_until(loop, [&] { return reader.read_from(fd.get(), 1'000), reader.next(frame); }));
        pb::LinkHello answer;
        ASSERT_TRUE(answer.ParseFromArray(frame.data() + 1, int(frame.size() - 1)));
        EXPECT_NE(answer.refusal().find(expected), std::string::npos) << answer.refusal();
        EXPECT_EQ(answer.refusal().empty(), std::string(expected).empty()) << answer.refusal();
    }
}

TEST(Links, GoDownWithoutPong) {
    Loop loop;
    Node one(loop, quick(1));
    BarePeer two;
    one.links->set_peers(peer(2, two.port));
    ASSERT_TRUE(run_until(loop, [&] { return two.take(BarePeer::hello(2)); }));
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2); }));
    ASSERT_TRUE(run_until(loop, [&] { return one.links->up().empty(); }));
    ASSERT_TRUE(run_until(loop, [&] { return two.take(BarePeer::hello(2)); })) << "and are dialled again";
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2); }));
}

TEST(Links, GoDownWhenThePeerTakesNothing) {
    Loop loop;
    LinkOptions options = quick(1);
    options.pong_timeout_us = 3'600'000'000;  // leave it to the stall
    Node one(loop, options);
    BarePeer two;
    one.links->set_peers(peer(2, two.port));
    ASSERT_TRUE(run_until(loop, [&] { return two.take(BarePeer::hello(2)); }));
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2); }));
    size_t queued = 0;
    while (one.links->send(NodeId(2), FrameKind::message, std::string(1u << 20, 'x'))) ++queued;
    EXPECT_EQ(queued, 79u) << "bounded by queue_bytes";
    ASSERT_TRUE(run_until(
        loop, [&] { return one.links->up().empty(); }, [&] { one.links->flush(); }));
}

TEST(Links, SilenceOrNonsenseInsteadOfHelloIsNoLink) {
    Loop loop;
    Node one(loop, quick(1));
    BarePeer two;
    one.links->set_peers(peer(2, two.port));
    for (const std::string& answer : {std::string("x"), BarePeer::hello(3), frame_length(1) + "\x03",
                                      frame_length(2) + "\x01\xff", std::string("\xff\xff\xff\xff")})
        ASSERT_TRUE(run_until(loop, [&] { return two.take(answer); }));  // each is given up and dialled again
    ASSERT_TRUE(run_until(loop, [&] { return two.take(BarePeer::hello(2)); }));
    ASSERT_TRUE(run_until(loop, [&] { return one.sees(2); }));
    EXPECT_EQ(one.changes.size(), 1u);
}

TEST(Links, AreOfNoUseWithoutNumericAddresses) {
    Loop loop;
    Node one(loop, quick(1));
    one.links->set_peers({{NodeId(2), {"node2.example", 1}}, {NodeId(3), {"", 1}}, {NodeId(1), {ip(1), 1}}});
    EXPECT_TRUE(one.links->up().empty());
    LinkOptions bad = quick(4);
    bad.listen_ip = "somewhere";
    EXPECT_THROW(Node(loop, bad), Failure);
}

}  // namespace
}  // namespace assent::net
