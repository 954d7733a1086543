// What went wrong: a master started again under its node id inside one view counted as master until T had passed.
// The mend: another incarnation of the master's node is no master: it is forgotten at once.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(MasterStartedAgain, IsForgottenAtOnce) {
    Bench b(3, Bench::member(), Bench::founded(3));
    b.all_here();
    b.hear(2, Heartbeat{Epoch(1), 1, 0, {Epoch(0), Index(1)}, {}});
    b.sync();
    ASSERT_EQ(b.replica().master(), NodeId(2));
    b.hear(2, b.status_of_other());
    EXPECT_EQ(b.replica().master(), NodeId(2)) << "the same incarnation";
    b.hear(2, b.status_of_other(), 777);
    EXPECT_EQ(b.replica().master(), NodeId(0));
    b.sync();
    EXPECT_EQ(b.take<VoteRequest>().size(), 1u) << "it need not wait for T";
}

}  // namespace
}  // namespace assent
