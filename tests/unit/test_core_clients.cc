// The client table (R10): exactly once, bounded alike on every node.
#include <gtest/gtest.h>

#include "core/clients.h"

namespace assent {
namespace {

Verdict write(uint64_t index, ClientId client, uint64_t sequence, uint64_t first_unanswered = 1) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(1);
    e.client = client;
    e.sequence = sequence;
    e.first_unanswered = first_unanswered;
    return {std::make_shared<const Entry>(e), nullptr};
}

Verdict cancel(uint64_t index, ClientId client, uint64_t sequence) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(1);
    e.kind = EntryKind::cancel;
    e.cancel.client = client;
    e.cancel.sequence = sequence;
    return {std::make_shared<const Entry>(e), nullptr};
}

const ClientId kAnn{Index(0), 11};
const ClientId kBob{Index(0), 12};

TEST(ClientTable, KnowsWhatWasDecided) {
    ClientTable table(10, 10);
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::none);
    table.decide(write(5, kAnn, 1));
    table.decide(cancel(6, kAnn, 2));
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::confirmed);
    EXPECT_EQ(table.find(kAnn, 1).index, Index(5));
    EXPECT_EQ(table.find(kAnn, 2).outcome, Outcome::cancelled);
    EXPECT_EQ(table.find(kAnn, 2).index, Index(6));
    EXPECT_EQ(table.find(kAnn, 3).outcome, Outcome::none);
    EXPECT_EQ(table.find(kBob, 1).outcome, Outcome::none);
}

TEST(ClientTable, FirstOutcomeStands) {
    ClientTable table(10, 10);
    table.decide(cancel(5, kAnn, 1));
    table.decide(write(6, kAnn, 1));
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::cancelled);
    EXPECT_EQ(table.find(kAnn, 1).index, Index(5));
}

TEST(ClientTable, ForgetsWhatTheClientNeedsNoMore) {
    ClientTable table(10, 10);
    table.decide(write(5, kAnn, 1));
    table.decide(write(6, kAnn, 2));
    table.decide(write(7, kAnn, 3, 3));
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(kAnn, 2).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(kAnn, 3).outcome, Outcome::confirmed);
    EXPECT_EQ(table.find(kAnn, 4).outcome, Outcome::none);
}

TEST(ClientTable, KeepsSoManyOutcomesOfAClient) {
    ClientTable table(10, 2);
    for (uint64_t s = 1; s <= 3; ++s) table.decide(write(4 + s, kAnn, s));
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(kAnn, 2).outcome, Outcome::confirmed);
    EXPECT_EQ(table.find(kAnn, 3).outcome, Outcome::confirmed);
}

TEST(ClientTable, DropsTheClientThatWroteLongestAgo) {
    ClientTable table(2, 10);
    table.decide(write(5, kAnn, 1));
    table.decide(write(6, kBob, 1));
    table.decide(write(7, kAnn, 2));
    table.decide(write(8, ClientId{Index(0), 13}, 1));
    EXPECT_EQ(table.size(), 2u);
    EXPECT_EQ(table.horizon(), Index(6));
    EXPECT_EQ(table.find(kAnn, 1).outcome, Outcome::confirmed);
    EXPECT_EQ(table.find(kBob, 1).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(kBob, 2).outcome, Outcome::unknown);
}

TEST(ClientTable, TellsTheYoungFromTheDropped) {
    ClientTable table(1, 10);
    table.decide(write(5, kAnn, 1));
    table.decide(write(6, kBob, 1));
    ASSERT_EQ(table.horizon(), Index(5));
    EXPECT_EQ(table.find(ClientId{Index(5), 99}, 1).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(ClientId{Index(6), 99}, 1).outcome, Outcome::none);
}

TEST(ClientTable, NobodysWritesLeaveNoTrace) {
    ClientTable table(1, 10);
    table.decide(write(5, ClientId(), 0));
    EXPECT_EQ(table.size(), 0u);
}

TEST(ClientTable, DigestFollowsTheContent) {
    ClientTable a(4, 4);
    ClientTable b(4, 4);
    EXPECT_EQ(a.digest(), b.digest());
    a.decide(write(5, kAnn, 1));
    EXPECT_NE(a.digest(), b.digest());
    b.decide(write(5, kAnn, 1));
    EXPECT_EQ(a.digest(), b.digest());
    a.decide(write(6, kAnn, 2));
    b.decide(cancel(6, kAnn, 2));
    EXPECT_NE(a.digest(), b.digest());
}

}  // namespace
}  // namespace assent
