// The parts of the corosync adapters that need no corosync. The rest: tests/cluster/adapter_probe.
#include <gtest/gtest.h>

#include "corosync/cmap_adapter.h"
#include "corosync/outbox.h"
#include "corosync/publisher.h"
#include "corosync/view.h"

namespace assent {
namespace {

std::vector<NodeId> ids(std::initializer_list<uint32_t> list) {
    std::vector<NodeId> out;
    for (uint32_t n : list) out.emplace_back(n);
    return out;
}

CpgView view(RingId ring, std::initializer_list<uint32_t> list) { return {ring, ids(list)}; }

const RingId kFirst{NodeId(1), 5};
const RingId kSecond{NodeId(1), 9};

struct ViewTest : testing::Test {
    ViewTracker views;
    void SetUp() override { views.reset(NodeId(1)); }
    void alone() {
        views.on_ring(kFirst, ids({1}));
        ASSERT_EQ(views.on_members(ids({1}), false), view(kFirst, {1}));
    }
};

TEST_F(ViewTest, TheFirstViewNeedsTheRingAndOneselfInEitherOrder) {
    EXPECT_EQ(views.on_ring(kFirst, ids({1, 2})), std::nullopt);
    EXPECT_EQ(views.on_members(ids({2, 1}), false), view(kFirst, {1, 2}));
    views.reset(NodeId(1));
    EXPECT_EQ(views.on_members(ids({1, 2}), false), std::nullopt);
    EXPECT_EQ(views.on_ring(kFirst, ids({1, 2})), view(kFirst, {1, 2}));
}

TEST_F(ViewTest, ARingChangeIsOneViewTheRingIdCloses) {
    alone();
    EXPECT_EQ(views.on_members(ids({1, 2}), true), std::nullopt);
    EXPECT_EQ(views.on_members(ids({1, 2, 3}), true), std::nullopt);
    EXPECT_EQ(views.on_members(ids({1, 2}), false), std::nullopt);  // a process found dead meanwhile
    EXPECT_EQ(views.on_ring(kSecond, ids({1, 2, 3})), view(kSecond, {1, 2}));
}

TEST_F(ViewTest, ANewRingWithTheSameMembersIsANewView) {
    alone();
    EXPECT_EQ(views.on_ring(kSecond, ids({1})), view(kSecond, {1}));
    EXPECT_EQ(views.on_ring(kSecond, ids({1})), std::nullopt);
}

TEST_F(ViewTest, AProcessThatDiesOrJoinsChangesTheViewInItsRing) {
    alone();
    views.on_members(ids({1, 2}), true);
    views.on_ring(kSecond, ids({1, 2}));
    EXPECT_EQ(views.on_members(ids({1}), false), view(kSecond, {1}));
    EXPECT_EQ(views.on_members(ids({1, 2}), false), view(kSecond, {1, 2}));
    // A second process on a node, and its end, change no node.
    EXPECT_EQ(views.on_members(ids({1, 2, 2}), false), std::nullopt);
    EXPECT_EQ(views.on_members(ids({1, 2}), false), std::nullopt);
}

TEST_F(ViewTest, AGhostThatIsNotInTheRingIsNoMember) {
    alone();
    views.on_members(ids({1, 2, 3}), true);
    EXPECT_EQ(views.on_ring(kSecond, ids({1, 2})), view(kSecond, {1, 2}));
}

TEST_F(ViewTest, AMessageEndsTheWaitForARingIdThatDoesNotCome) {
    alone();
    EXPECT_EQ(views.on_message(), std::nullopt);
    EXPECT_EQ(views.on_members(ids({1}), true), std::nullopt);
    EXPECT_EQ(views.on_message(), std::nullopt);  // nothing changed
    views.on_ring(kSecond, ids({1, 2}));
    EXPECT_EQ(views.on_members(ids({1, 2}), true), std::nullopt);
    EXPECT_EQ(views.on_message(), view(kSecond, {1, 2}));
}

TEST_F(ViewTest, NoViewWithoutOneself) {
    views.on_ring(kFirst, ids({1, 2}));
    EXPECT_EQ(views.on_members(ids({2}), false), std::nullopt);
}

struct OutboxTest : testing::Test {
    std::vector<std::string> sent;
    Cs answer = Cs::ok;
    Outbox outbox{[this](std::string_view m) {
        if (answer == Cs::ok) sent.emplace_back(m);
        return answer;
    }};
};

TEST_F(OutboxTest, KeepsTheOrderOverTryAgain) {
    answer = Cs::again;
    EXPECT_TRUE(outbox.push("a"));
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::again);
    EXPECT_TRUE(outbox.push("bb"));
    EXPECT_EQ(outbox.queued_bytes(), 3u);
    answer = Cs::ok;
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::all);
    EXPECT_EQ(sent, (std::vector<std::string>{"a", "bb"}));
    EXPECT_EQ(outbox.queued_bytes(), 0u);
    EXPECT_EQ(outbox.unread(), 2u);
}

TEST_F(OutboxTest, HandsOverNoMoreThanMayWaitUnread) {
    for (size_t i = 0; i < Outbox::kMaxUnread + 5; ++i) ASSERT_TRUE(outbox.push(std::to_string(i)));
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::unread);
    EXPECT_EQ(sent.size(), Outbox::kMaxUnread);
    outbox.on_delivered(sent[0]);
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::unread);
    EXPECT_EQ(sent.size(), Outbox::kMaxUnread + 1);
    // Those before it never came back: they are lost, and must not hold the queue for ever.
    outbox.on_delivered(sent[100]);
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::all);
    EXPECT_EQ(outbox.unread(), Outbox::kMaxUnread + 5 - 101);
    outbox.on_delivered("of an earlier connection");
    EXPECT_EQ(outbox.unread(), Outbox::kMaxUnread + 5 - 101);
}

TEST_F(OutboxTest, BoundsTheBytesButLetsALargeMessageGoAlone) {
    const std::string large(Outbox::kMaxMessage, 'x');
    ASSERT_TRUE(outbox.push(large));
    ASSERT_TRUE(outbox.push("after"));
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::unread);
    EXPECT_EQ(sent.size(), 1u);
    outbox.on_delivered(large);
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::all);
    EXPECT_FALSE(outbox.push(large + "x"));
}

TEST_F(OutboxTest, TheQueueIsBounded) {
    answer = Cs::again;
    const std::string megabyte(1'000'000, 'x');
    size_t taken = 0;
    while (outbox.push(megabyte)) ++taken;
    EXPECT_EQ(taken, Outbox::kMaxQueued / megabyte.size());
    outbox.clear();
    EXPECT_TRUE(outbox.push(megabyte));
}

TEST_F(OutboxTest, ADeadConnectionIsTold) {
    answer = Cs::dead;
    ASSERT_TRUE(outbox.push("a"));
    EXPECT_EQ(outbox.flush(), Outbox::Flushed::dead);
}

std::vector<std::string> names(const std::vector<Publisher::Step>& steps) {
    std::vector<std::string> out;
    for (const auto& s : steps) out.push_back((s.value ? "+" : "-") + s.key);
    return out;
}

TEST(Publisher, WritesChangesAtMostOnceASecond) {
    Publisher p;
    EXPECT_EQ(p.due_us(), std::nullopt);
    p.want({{"a", uint8_t(1)}, {"b", std::string("x")}});
    EXPECT_EQ(names(p.take(100)), (std::vector<std::string>{"+a", "+b"}));
    EXPECT_EQ(p.due_us(), std::nullopt);
    p.want({{"b", std::string("y")}, {"c", uint64_t(2)}});
    EXPECT_EQ(p.due_us(), 100 + Publisher::kIntervalUs);
    EXPECT_TRUE(p.take(99 + Publisher::kIntervalUs).empty());
    EXPECT_EQ(names(p.take(100 + Publisher::kIntervalUs)), (std::vector<std::string>{"-a", "+b", "+c"}));
    p.want({{"b", std::string("y")}, {"c", uint32_t(2)}});  // another type is another value
    EXPECT_EQ(names(p.take(1'000'000'000)), (std::vector<std::string>{"+c"}));
}

TEST(Publisher, WritesAllAgainAfterARestartOfCorosync) {
    Publisher p;
    p.want({{"a", uint8_t(1)}});
    EXPECT_EQ(p.take(1).size(), 1u);
    p.forget();
    EXPECT_EQ(names(p.take(2)), (std::vector<std::string>{"+a"}));
}

TEST(Publisher, KeysThatCmapRefusesAreKnown) {
    EXPECT_TRUE(valid_status_key("kv.voter.1.lag"));
    EXPECT_FALSE(valid_status_key(""));
    EXPECT_FALSE(valid_status_key("a b"));
    EXPECT_TRUE(valid_status_key(std::string(240, 'a')));
    EXPECT_FALSE(valid_status_key(std::string(241, 'a')));
}

TEST(Nodelist, IsReadFromItsKeys) {
    const Cluster c = parse_nodelist({{"local_node_pos", "1"},
                                      {"node.0.nodeid", "9"},
                                      {"node.0.ring1_addr", "10.1.0.9"},
                                      {"node.0.ring0_addr", "10.0.0.9"},
                                      {"node.0.name", "nine"},
                                      {"node.1.nodeid", "2"},
                                      {"node.1.quorum_votes", "4"},
                                      {"node.2.ring0_addr", "10.0.0.7"},
                                      {"node.x.nodeid", "5"},
                                      {"node.3", "?"},
                                      {"node.4.nodeid", "-1"}});
    ASSERT_EQ(c.nodes.size(), 2u);
    EXPECT_EQ(c.nodes[0], (Node{NodeId(2), "", {}, 4}));
    EXPECT_EQ(c.nodes[1], (Node{NodeId(9), "nine", {"10.0.0.9", "10.1.0.9"}, 1}));
    EXPECT_EQ(c.local, NodeId(2));
    EXPECT_EQ(parse_nodelist({{"node.0.nodeid", "1"}}).local, NodeId(0));
    EXPECT_TRUE(parse_nodelist({}).nodes.empty());
}

}  // namespace
}  // namespace assent
