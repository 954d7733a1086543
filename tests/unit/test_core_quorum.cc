// Majorities of the recorded voters.
#include <gtest/gtest.h>

#include <set>

#include "core/quorum.h"

namespace assent {
namespace {

Config config(std::vector<uint32_t> votes, std::vector<uint32_t> outgoing = {}) {
    Config c;
    uint32_t node = 0;
    for (uint32_t v : votes) c.voters.push_back({NodeId(++node), LedgerId(100 + node), v});
    node = 0;
    for (uint32_t v : outgoing) c.outgoing.push_back({NodeId(++node), LedgerId(100 + node), v});
    return c;
}

bool majority(const Config& c, std::set<uint32_t> nodes) {
    return is_majority(c, [&](const Voter& v) { return nodes.count(v.node.value) != 0; });
}

TEST(Majority, IsMoreThanHalf) {
    EXPECT_FALSE(majority(config({1, 1, 1}), {1}));
    EXPECT_TRUE(majority(config({1, 1, 1}), {1, 3}));
    EXPECT_FALSE(majority(config({1, 1, 1, 1}), {1, 2}));
    EXPECT_TRUE(majority(config({1, 1, 1, 1}), {1, 2, 4}));
    EXPECT_TRUE(majority(config({1}), {1}));
    EXPECT_FALSE(majority(config({}), {}));
}

TEST(Majority, CountsVotes) {
    EXPECT_TRUE(majority(config({3, 1, 1}), {1}));
    EXPECT_FALSE(majority(config({3, 1, 1}), {2, 3}));
    EXPECT_FALSE(majority(config({2, 1, 1}), {1}));
}

TEST(Majority, NeedsBothSetsWhileJoint) {
    Config joint = config({1, 1, 1, 1, 1}, {1, 1, 1});
    EXPECT_FALSE(majority(joint, {3, 4, 5}));
    EXPECT_FALSE(majority(joint, {1, 2}));
    EXPECT_TRUE(majority(joint, {1, 2, 5}));
}

TEST(Majority, ReachesTheGreatestCommonValue) {
    auto reached = [](const Config& c, std::vector<uint64_t> values) {
        return majority_reached<Index>(c, [&](const Voter& v) { return Index(values.at(v.node.value - 1)); }).value;
    };
    EXPECT_EQ(reached(config({1, 1, 1}), {9, 5, 7}), 7u);
    EXPECT_EQ(reached(config({1, 1, 1, 1}), {9, 5, 7, 8}), 7u);
    EXPECT_EQ(reached(config({3, 1, 1}), {2, 9, 9}), 2u);
    EXPECT_EQ(reached(config({1, 1, 1}, {1, 1}), {9, 5, 7}), 5u);
    EXPECT_EQ(reached(config({}), {}), 0u);
}

TEST(Voter, IsANodeWithItsLedger) {
    Config c = config({1, 1}, {1, 1, 1});
    EXPECT_NE(find_voter(c, NodeId(2), LedgerId(102)), nullptr);
    EXPECT_EQ(find_voter(c, NodeId(2), LedgerId(7)), nullptr);  // a wiped disk
    EXPECT_NE(find_voter(c, NodeId(3), LedgerId(103)), nullptr);
}

}  // namespace
}  // namespace assent
