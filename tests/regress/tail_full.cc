// What went wrong: a follower with a full tail of undecided entries took neither what could decide them nor verdicts.
// The mend: the bound holds from the epoch's first pair on, and a lower pair that fits what is here is used at once.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

constexpr uint64_t kMaster = 2;

EntryPtr entry(uint64_t index, uint64_t epoch, EntryKind kind = EntryKind::write) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(epoch);
    e->kind = kind;
    if (kind == EntryKind::write) e->data = std::string(400, 'x');
    return e;
}

// Room for two writes, and not for a third one.
constexpr uint64_t kSmallTail = 600;

Bench follower(uint64_t tail_bytes, const std::vector<EntryPtr>& more = {}) {
    Options options = Bench::usual_options();
    options.tail_bytes = tail_bytes;
    NodeState state = Bench::member();
    if (!more.empty()) state.ballot = more.back()->epoch;
    std::vector<EntryPtr> ledger = Bench::founded(3);
    ledger.insert(ledger.end(), more.begin(), more.end());
    Bench b(3, state, ledger, Index(0), options);
    b.all_here();
    b.give(event::Links{{NodeId(2), NodeId(3)}});
    return b;
}

Propose proposal(uint64_t epoch, Position previous, std::vector<EntryPtr> entries, VerdictPair verdicts) {
    Propose p;
    p.epoch = Epoch(epoch);
    p.previous = previous;
    p.last = entries.back()->index;
    p.entries = std::move(entries);
    p.verdicts = verdicts;
    return p;
}

// Has the EPOCH entry, which is decided, and two writes, which are not: the tail is full.
Bench full_follower() {
    Bench b = follower(kSmallTail);
    b.hear(kMaster, proposal(1, {Epoch(0), Index(1)}, {entry(2, 1, EntryKind::epoch), entry(3, 1), entry(4, 1)}, {}));
    b.hear(kMaster, Confirm{Epoch(1), {Index(2), Index(2)}});
    b.sync();
    return b;
}

TEST(TailFull, StillTakesTheNextMastersEpochEntry) {
    Bench b = follower(kSmallTail, {entry(2, 1, EntryKind::epoch), entry(3, 1), entry(4, 1)});
    b.hear(kMaster, proposal(2, {Epoch(1), Index(4)}, {entry(5, 2, EntryKind::epoch)}, {}));
    EXPECT_EQ(b.view().last, (Position{Epoch(2), Index(5)}));
}

TEST(TailFull, TakesNoMoreOnceAPairWasHeard) {
    Bench b = full_follower();
    EXPECT_EQ(b.view().confirmed, Index(2));
    b.hear(kMaster, proposal(1, {Epoch(1), Index(4)}, {entry(5, 1)}, {Index(2), Index(2)}));
    EXPECT_EQ(b.view().last.index, Index(4));
}

TEST(TailFull, UsesTheLowerPairThatFitsAndThenFetches) {
    Bench b = full_follower();
    b.hear(kMaster, proposal(1, {Epoch(1), Index(4)}, {entry(5, 1), entry(6, 1)}, {Index(6), Index(6)}));
    EXPECT_EQ(b.view().confirmed, Index(4));
    b.take<Fetch>();
    for (uint64_t id = 1; id <= 2; ++id) {
        b.hear(kMaster, Heartbeat{Epoch(1), id, 0, {Epoch(1), Index(6)}, {Index(6), Index(6)}});
    }
    EXPECT_EQ(b.take<Fetch>().size(), 1u);
}

TEST(TailFull, APairThatFitsIsUsedWhileAHigherOneWaits) {
    Bench b = follower(Bench::usual_options().tail_bytes);
    b.hear(kMaster, Heartbeat{Epoch(1), 1, 0, {Epoch(1), Index(9)}, {Index(9), Index(9)}});
    b.hear(kMaster, Heartbeat{Epoch(1), 2, 0, {Epoch(1), Index(9)}, {Index(9), Index(9)}});
    b.sync();
    auto fetches = b.take<Fetch>();
    ASSERT_EQ(fetches.size(), 1u);
    Entries found;
    found.epoch = Epoch(1);
    found.id = std::get<Fetch>(fetches[0].message).id;
    found.previous = {Epoch(0), Index(1)};
    found.entries = {entry(2, 1, EntryKind::epoch), entry(3, 1)};
    found.last = {Epoch(1), Index(9)};
    found.verdicts = {Index(3), Index(3)};
    b.hear(kMaster, found);
    EXPECT_EQ(b.view().confirmed, Index(3));
}

}  // namespace
}  // namespace assent
