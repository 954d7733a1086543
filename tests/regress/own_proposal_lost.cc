// What went wrong: CPG lost PROPOSEs of the master's own, and their slots in flight held up its queue for ever.
// The mend: when one is overdue, a STATUS goes out: its delivery tells that nothing before it is on its way any more.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(OwnProposalLost, DoesNotHoldUpTheQueue) {
    Bench b(1);
    b.all_here();
    b.sync();
    ASSERT_TRUE(b.replica().is_master());
    const uint64_t in_flight = Bench::usual_options().proposals_in_flight;
    auto write = [&b](uint64_t sequence) {
        b.give(event::Submit{Token(sequence), ClientId{Index(0), 11}, sequence, 1, "x"});
        b.give(event::Flush{});
    };
    b.take<Propose>();
    b.lose_own(true);
    for (uint64_t sequence = 1; sequence <= in_flight; ++sequence) write(sequence);
    b.lose_own(false);
    write(in_flight + 1);
    EXPECT_EQ(b.take<Propose>().size(), in_flight);
    b.sleep(Bench::usual_options().master_timeout_us + 1000);
    b.give(event::Flush{});
    EXPECT_EQ(b.take<Propose>().size(), 1u);
    b.sync();
    EXPECT_EQ(b.answers().size(), in_flight + 1);
}

}  // namespace
}  // namespace assent
