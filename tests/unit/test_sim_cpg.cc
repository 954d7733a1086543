// The simulator's model of CPG: what it promises, and that it breaks everything else.
#include <gtest/gtest.h>

#include <algorithm>

#include "../sim/cpg.h"

namespace assent::sim {
namespace {

// Three nodes whose processes send by turns; what each was told, in order.
class Group {
  public:
    explicit Group(uint64_t seed)
        : random(seed), cpg(schedule, random, times(), 3, [this](NodeId n, Event e) { told(n, std::move(e)); }) {
        for (uint32_t n = 1; n <= 3; ++n) {
            cpg.corosync_up(NodeId(n));
            cpg.join(NodeId(n));
        }
        run(1'000'000);
    }

    static CpgTimes times() {
        return {{20, 300}, {20, 500}, {100, 5'000}, {100, 8'000}, {10'000, 50'000}, {5'000, 30'000}, {0, 5'000}};
    }

    void run(int64_t us) {
        for (int64_t until = schedule.now() + us; schedule.run_one(until);) {
        }
    }

    void send(uint32_t n) {
        Header h;
        h.from = NodeId(n);
        h.incarnation = Incarnation(n);
        h.sequence = ++sent[n];
        cpg.send(NodeId(n), std::make_shared<const Packet>(Packet{h, Confirm{}}));
    }

    void chatter(int count) {
        for (int i = 0; i < count; ++i) {
            send(uint32_t(1 + random.below(3)));
            run(int64_t(random.below(300)));
        }
    }

    void told(NodeId n, Event e) {
        if (auto* v = std::get_if<event::View>(&e)) views[n.value].push_back(*v);
        auto* r = std::get_if<event::Received>(&e);
        if (!r) return;
        got[n.value].push_back({r->header.from.value, r->header.sequence});
        if (r->header.from == n) cpg.own_read(n, r->header);
    }

    using Name = std::pair<uint32_t, uint64_t>;
    Schedule schedule;
    Random random;
    Cpg cpg;
    std::map<uint32_t, uint64_t> sent;
    std::map<uint32_t, std::vector<Name>> got;
    std::map<uint32_t, std::vector<event::View>> views;
};

// Messages that both have come in the same order at both.
bool same_order(const std::vector<Group::Name>& a, const std::vector<Group::Name>& b) {
    std::vector<Group::Name> only_a;
    std::vector<Group::Name> only_b;
    auto in = [](const std::vector<Group::Name>& list, Group::Name m) {
        return std::find(list.begin(), list.end(), m) != list.end();
    };
    for (Group::Name m : a)
        if (in(b, m)) only_a.push_back(m);
    for (Group::Name m : b)
        if (in(a, m)) only_b.push_back(m);
    return only_a == only_b;
}

TEST(SimCpg, WithoutFaultsAllGetAllInOneOrder) {
    Group g(1);
    g.chatter(200);
    g.run(1'000'000);
    EXPECT_EQ(g.got[1].size(), 200u);
    EXPECT_EQ(g.got[1], g.got[2]);
    EXPECT_EQ(g.got[1], g.got[3]);
    EXPECT_EQ(g.views[1].back().members.size(), 3u);
}

TEST(SimCpg, ASplitKeepsTheOrderAndMayLeaveASenderAloneWithItsMessage) {
    bool alone = false;
    bool later_view = false;
    for (uint64_t seed = 1; seed <= 100; ++seed) {
        Group g(seed);
        g.chatter(20);
        g.cpg.set_components({0, 0, 1, 1});
        g.chatter(30);
        g.run(200'000);
        g.cpg.set_components({0, 0, 0, 0});
        g.run(1'000'000);
        EXPECT_TRUE(same_order(g.got[1], g.got[2])) << seed;
        EXPECT_TRUE(same_order(g.got[2], g.got[3])) << seed;
        EXPECT_EQ(g.views[1].back().ring, g.views[3].back().ring) << seed;
        size_t own = 0;
        for (auto m : g.got[1]) {
            bool others = std::count(g.got[2].begin(), g.got[2].end(), m) != 0;
            if (m.first == 1 && !others) ++own;
        }
        alone |= own > 0;
        later_view |= g.views[1].size() > 2 && g.got[1].size() > 20;
    }
    EXPECT_TRUE(alone);
    EXPECT_TRUE(later_view);
}

TEST(SimCpg, OneWhoMovesWithAnotherGetsTheSame) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        Group g(seed);
        g.chatter(20);
        g.cpg.set_components({0, 1, 0, 0});
        g.chatter(30);
        g.run(1'000'000);
        EXPECT_EQ(g.got[2], g.got[3]) << seed;
    }
}

TEST(SimCpg, BusyDelaysAndLosesNothing) {
    Group g(3);
    g.cpg.set_busy(NodeId(1), 500'000);
    for (int i = 0; i < 300; ++i) g.send(1);
    g.run(400'000);
    EXPECT_TRUE(g.got[2].empty());
    g.run(2'000'000);
    EXPECT_EQ(g.got[2].size(), 300u);
}

TEST(SimCpg, AProcessThatDiesLosesASuffix) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        Group g(seed);
        for (int i = 0; i < 40; ++i) g.send(1);
        g.run(int64_t(g.random.below(1'000)));
        g.cpg.leave(NodeId(1));
        g.run(1'000'000);
        for (size_t i = 0; i < g.got[2].size(); ++i) EXPECT_EQ(g.got[2][i].second, i + 1) << seed;
        EXPECT_EQ(g.views[2].back().members, (std::vector{NodeId(2), NodeId(3)})) << seed;
    }
}

TEST(SimCpg, AGhostStaysAMemberUntilItIsBuried) {
    Group g(5);
    g.cpg.leave(NodeId(3), true);
    g.run(1'000'000);
    EXPECT_EQ(g.views[1].back().members.size(), 3u);
    g.cpg.bury(NodeId(3));
    g.run(1'000'000);
    EXPECT_EQ(g.views[1].back().members.size(), 2u);
}

TEST(SimCpg, AMessageCutIntoPiecesMayBeLost) {
    size_t lost = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Group g(seed);
        g.cpg.set_atomic(10);
        g.chatter(20);
        g.run(1'000'000);
        lost += 20 - g.got[2].size();
        EXPECT_TRUE(same_order(g.got[1], g.got[2])) << seed;
    }
    EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace assent::sim
