// What went wrong: two followers shared entries of a deposed master. The one that had nothing for the other answered its
// FETCH with the last entry that both have, and the asker took all up to there for the new master's, and acked it.
// The mend: a follower speaks of nothing above what it has matched itself.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

EntryPtr entry(uint64_t index, uint64_t epoch, EntryKind kind = EntryKind::write) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(epoch);
    e->kind = kind;
    return e;
}

TEST(FetchFromUnmatched, AFollowerOffersNoMoreThanItMatched) {
    std::vector<EntryPtr> ledger = Bench::founded(3);
    ledger.push_back(entry(2, 1, EntryKind::epoch));
    ledger.push_back(entry(3, 1));  // of the deposed master; the new one does not have it
    NodeState state = Bench::member();
    state.ballot = Epoch(1);
    Bench b(3, state, ledger);
    b.all_here();
    b.give(event::Links{{NodeId(2), NodeId(3)}});
    // This node matches the master of epoch 2 up to index 2.
    b.hear(2, Heartbeat{Epoch(2), 1, 0, {Epoch(1), Index(2)}, {}});
    b.sync();
    b.take<Entries>();
    Fetch f;
    f.epoch = Epoch(2);
    f.id = 7;
    f.runs = {{Epoch(1), Index(2)}, {Epoch(0), Index(1)}};
    f.last = {Epoch(1), Index(3)};
    b.hear(3, f);
    auto served = b.take<Entries>();
    ASSERT_EQ(served.size(), 1u);
    EXPECT_EQ(std::get<Entries>(served[0].message).previous, (Position{Epoch(1), Index(2)}));
}

}  // namespace
}  // namespace assent
