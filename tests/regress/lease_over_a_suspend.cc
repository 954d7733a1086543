// What went wrong: a lease was counted on whichever of CLOCK_MONOTONIC_RAW and CLOCK_BOOTTIME went further. A host that is
// suspended while NTP slows its clock loses time on both, and its lease outlived the voters' grants.
// The mend: it is counted on CLOCK_MONOTONIC_RAW, which nobody slews, plus the time in suspend.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

constexpr int64_t kLeaseUs = 300'000;

bool lease_runs_after(int64_t raw_us, int64_t suspended_us) {
    Bench b(3);
    b.become_master_of_three();
    Epoch epoch = b.view().state.ballot;
    b.sleep(110'000);  // the next heartbeat
    b.sync();
    for (uint64_t id = 1; id < 10; ++id) b.hear(2, HeartbeatAnswer{epoch, id, true});
    EXPECT_TRUE(b.view().lease);
    b.time_goes(raw_us, suspended_us);
    b.give(event::Flush{});
    return b.view().lease;
}

TEST(LeaseOverASuspend, TimeInSuspendCountsInFull) {
    EXPECT_TRUE(lease_runs_after(kLeaseUs / 2, 0));
    EXPECT_FALSE(lease_runs_after(kLeaseUs / 2, kLeaseUs / 2));
    EXPECT_FALSE(lease_runs_after(0, kLeaseUs));
}

}  // namespace
}  // namespace assent
