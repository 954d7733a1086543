// What went wrong: a vote that waited for its sync still went out after the ballot had risen above it.
// The mend: raise_ballot throws away the votes and vote requests that are held.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(VoteOvertaken, IsNotGivenAnyMore) {
    Bench b(3, Bench::member(), Bench::founded(3));
    b.all_here();
    Position last = b.view().last;
    b.hear(2, VoteRequest{Epoch(1), last, false, nullptr});
    b.hear(3, VoteRequest{Epoch(2), last, false, nullptr});
    EXPECT_TRUE(b.take<Vote>().empty()) << "neither is durable";
    b.sync();
    auto votes = b.take<Vote>();
    ASSERT_EQ(votes.size(), 1u);
    EXPECT_EQ(votes[0].header.to, NodeId(3));
    EXPECT_EQ(std::get<Vote>(votes[0].message).epoch, Epoch(2));
}

}  // namespace
}  // namespace assent
