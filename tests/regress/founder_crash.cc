// What went wrong: a crash left the founder with its cluster_id but without its CONFIG, and it never founded again.
// The mend: it takes the cluster_id only once the CONFIG is durable, and also from a CONFIG found at a start.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

void hear_the_others(Bench& b) {
    b.all_here();
    b.hear(2, b.status_of_other());
    b.hear(3, b.status_of_other());
}

TEST(FounderCrash, FoundsAgainIfTheConfigIsLost) {
    Bench b(3);
    hear_the_others(b);
    ASSERT_EQ(b.view().last.index, Index(1));
    NodeState state = b.view().state;  // the sync got as far as this
    Bench again(3, state);
    hear_the_others(again);
    again.sync();
    EXPECT_EQ(again.view().last.index, Index(1));
    EXPECT_TRUE(again.cluster());
}

TEST(FounderCrash, GoesOnWithAConfigThatItFinds) {
    Bench b(3, Bench::fresh(), Bench::founded(3));
    hear_the_others(b);
    b.sync();
    EXPECT_EQ(b.cluster(), (ClusterId{7, 7}));
    EXPECT_EQ(b.take<VoteRequest>().size(), 1u);
}

}  // namespace
}  // namespace assent
