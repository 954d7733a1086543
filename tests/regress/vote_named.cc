// What went wrong: a VOTE named no candidate, so two rivals of one epoch counted each other's votes.
// The mend: a VOTE carries its candidate in the header, by CPG too, and nobody else takes it.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(VoteNamed, AVoteForAnotherIsNotCounted) {
    Bench b(3);
    b.all_here();
    b.hear(2, b.status_of_other());
    b.hear(3, b.status_of_other());
    b.sync();
    Epoch epoch = b.view().state.ballot;
    Header h;
    h.from = NodeId(2);
    h.to = NodeId(3);
    h.ledger = LedgerId(102);
    h.incarnation = Incarnation(502);
    h.cluster = b.cluster();
    h.sequence = 100;
    b.give(event::Received{h, Vote{epoch, true, epoch, Position()}, true});
    EXPECT_FALSE(b.replica().is_master());
    h.to = NodeId(1);
    h.sequence = 101;
    b.give(event::Received{h, Vote{epoch, true, epoch, Position()}, true});
    EXPECT_TRUE(b.replica().is_master());
}

TEST(VoteNamed, NamesItsCandidateOnCpg) {
    Bench b(3, Bench::member(), Bench::founded(3));
    b.all_here();
    b.give(event::Links{{NodeId(2), NodeId(3)}});
    b.hear(2, VoteRequest{Epoch(1), b.view().last, false, nullptr});
    b.sync();
    auto votes = b.take<Vote>();
    ASSERT_EQ(votes.size(), 1u);
    EXPECT_TRUE(std::get<Vote>(votes[0].message).granted);
    EXPECT_TRUE(votes[0].by_cpg);
    EXPECT_EQ(votes[0].header.to, NodeId(2));
}

}  // namespace
}  // namespace assent
