// What went wrong: a node that stood still for a while found both a message of another one's earlier life, on CPG, and one of
// its present life, on the side channel. Read in the wrong order, the present life counted as replaced from then on:
// nothing of that node was heard any more until it was started again. (Found by the simulator.)
// The mend: a later start on the same ledger has a greater incarnation.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(Regress, AMessageOfAnEarlierLifeDoesNotReplaceTheLaterOne) {
    Bench b(3, Bench::fresh(), Bench::founded(3));
    b.all_here();
    b.hear(2, b.status_of_other(), 1'003);
    const uint64_t dropped = b.view().messages_dropped;
    b.hear(2, b.status_of_other(), 1'002);  // under way for long, and never heard of before
    EXPECT_EQ(b.view().messages_dropped, dropped + 1);
    b.hear(2, b.status_of_other(), 1'003);
    EXPECT_EQ(b.view().messages_dropped, dropped + 1);
    b.hear(2, b.status_of_other(), 1'004);
    EXPECT_EQ(b.view().messages_dropped, dropped + 1);
}

}  // namespace
}  // namespace assent
