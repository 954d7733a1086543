// What went wrong: a majority that needs longer than T to catch up was never given the time. After each T the master stepped
// down, and a new EPOCH entry and a fetch from the beginning followed.
// The mend: T counts from the last time that a voter had more of the ledger durable.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(EpochWhileCatchingUp, ProgressKeepsTheMaster) {
    std::vector<EntryPtr> ledger = Bench::founded(3);
    for (uint64_t i = 2; i <= 9; ++i) {
        auto e = std::make_shared<Entry>();
        e->index = Index(i);
        e->epoch = Epoch(1);
        ledger.push_back(e);
    }
    NodeState state = Bench::member();
    state.ballot = Epoch(1);
    Bench b(3, state, ledger);
    b.become_master_of_three();
    ASSERT_TRUE(b.replica().is_master());
    Epoch epoch = b.view().state.ballot;
    const int64_t timeout_us = Bench::usual_options().master_timeout_us;
    auto half_a_timeout = [&] {
        for (int n = 0; n < 5; ++n) {
            b.sleep(timeout_us / 10);
            for (uint64_t id = 1; id < 100; ++id) b.hear(2, HeartbeatAnswer{epoch, id, false});
        }
    };
    for (uint64_t durable = 2; durable <= 8; ++durable) {
        b.hear(2, Ack{epoch, Index(durable), Index(durable), {}});
        half_a_timeout();
        EXPECT_TRUE(b.replica().is_master()) << "it went on at " << durable;
    }
    half_a_timeout();
    half_a_timeout();
    EXPECT_FALSE(b.replica().is_master()) << "nothing moved for T";
}

}  // namespace
}  // namespace assent
