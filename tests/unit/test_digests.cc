// Which node finds that its application has diverged.
#include <gtest/gtest.h>

#include "daemon/digests.h"

namespace assent {
namespace {

// Three or more nodes, and what they send each other.
class DigestsTest : public testing::Test {
  protected:
    std::map<uint32_t, std::unique_ptr<Digests>> nodes_;
    std::map<uint32_t, std::string> diverged_;
    std::map<uint32_t, std::vector<NodeId>> links_;
    Config config_;

    void open(uint32_t size) {
        for (uint32_t n = 1; n <= size; ++n) {
            config_.voters.push_back({NodeId(n), LedgerId(n), 1});
            for (uint32_t other = 1; other <= size; ++other)
                if (other != n) links_[n].push_back(NodeId(other));
            make(n);
        }
    }
    void make(uint32_t n) {
        DigestHooks h;
        h.send = [this, n](NodeId to, const pb::Forwarded& f) { nodes_.at(to.value)->heard(NodeId(n), f); };
        h.peers = [this, n] { return links_[n]; };
        h.config = [this] { return config_; };
        h.diverged = [this, n](Index, const std::string& why) { diverged_[n] = why; };
        nodes_[n] = std::make_unique<Digests>("jobs", NodeId(n), h);
    }
    void say(uint32_t node, uint64_t index, uint64_t value) { nodes_.at(node)->said(Index(index), value); }
};

TEST_F(DigestsTest, AllAlike) {
    open(3);
    for (uint32_t n = 1; n <= 3; ++n) say(n, 8, 0xabc);
    EXPECT_TRUE(diverged_.empty());
}

TEST_F(DigestsTest, OneOfThree) {
    open(3);
    say(1, 8, 0xabc);
    say(2, 8, 0xdef);
    EXPECT_TRUE(diverged_.empty()) << "one against one: nobody can say";
    say(3, 8, 0xabc);
    ASSERT_EQ(diverged_.size(), 1u);
    EXPECT_NE(diverged_.at(2).find("at index 8 "), std::string::npos) << diverged_.at(2);
    EXPECT_NE(diverged_.at(2).find("def"), std::string::npos);
}

TEST_F(DigestsTest, TheOneThatComesLast) {
    open(3);
    say(1, 8, 0xabc);
    say(3, 8, 0xabc);
    say(2, 16, 0xdef);
    EXPECT_TRUE(diverged_.empty()) << "another index";
    say(2, 8, 0xdef);
    EXPECT_EQ(diverged_.count(2), 1u);
}

TEST_F(DigestsTest, NoMajorityForAnything) {
    open(4);
    say(1, 8, 1);
    say(2, 8, 1);
    say(3, 8, 2);
    say(4, 8, 2);
    EXPECT_TRUE(diverged_.empty());
}

TEST_F(DigestsTest, AMajorityOfVotersAndOfVotes) {
    open(5);
    config_.voters.resize(3);  // 4 and 5 are observers
    say(1, 8, 1);
    say(4, 8, 2);
    say(5, 8, 2);
    say(3, 8, 2);
    EXPECT_TRUE(diverged_.empty());
    config_.voters[2].votes = 3;
    say(3, 8, 2);
    EXPECT_EQ(diverged_.count(1), 1u);
    EXPECT_EQ(diverged_.size(), 1u);
}

TEST_F(DigestsTest, WhoWasAwayIsToldAgain) {
    open(3);
    links_[1] = {NodeId(2)};
    links_[2] = {NodeId(1)};
    for (uint32_t n = 1; n <= 2; ++n) say(n, 8, 0xabc);
    say(3, 8, 0xdef);
    EXPECT_TRUE(diverged_.empty());
    nodes_.at(1)->tell({NodeId(3)});
    EXPECT_TRUE(diverged_.empty());
    nodes_.at(2)->tell({NodeId(3)});
    EXPECT_EQ(diverged_.count(3), 1u);
}

TEST_F(DigestsTest, AnotherStoreIsJudgedAnew) {
    open(3);
    say(2, 8, 0xdef);
    nodes_.at(2)->forget();
    say(1, 8, 0xabc);
    say(3, 8, 0xabc);
    EXPECT_TRUE(diverged_.empty());
    say(2, 8, 0xabc);
    EXPECT_TRUE(diverged_.empty());
}

TEST_F(DigestsTest, KeepsTheNewestAlone) {
    open(3);
    say(1, 1, 0xabc);
    say(3, 1, 0xabc);
    for (uint64_t i = 2; i < 2 + Digests::kKept; ++i) {
        say(1, i, 0xabc);
        say(3, i, 0xabc);
    }
    say(2, 1, 0xdef);
    EXPECT_TRUE(diverged_.empty());
    say(2, 2, 0xdef);
    EXPECT_EQ(diverged_.count(2), 1u);
}

}  // namespace
}  // namespace assent
