// What went wrong: a follower with a full tail of undecided entries took neither what could decide them nor verdicts.
// The mend: the bound is on what its disk has not taken yet, and the entries themselves bring the verdicts.
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

Bench follower() {
    Options options = Bench::usual_options();
    options.tail_bytes = kSmallTail;
    Bench b(3, Bench::member(), Bench::founded(3), Index(0), options);
    b.all_here();
    b.give(event::Links{{NodeId(2), NodeId(3)}});
    return b;
}

Propose proposal(Position previous, std::vector<EntryPtr> entries, VerdictPair verdicts) {
    Propose p;
    p.epoch = Epoch(1);
    p.previous = previous;
    p.last = entries.back()->index;
    p.entries = std::move(entries);
    p.verdicts = verdicts;
    return p;
}

TEST(TailFull, UndecidedEntriesThatAreDurableHoldNothingUp) {
    Bench b = follower();
    b.hear(kMaster, proposal({Epoch(0), Index(1)}, {entry(2, 1, EntryKind::epoch), entry(3, 1), entry(4, 1)}, {}));
    b.sync();
    b.hear(kMaster, proposal({Epoch(1), Index(4)}, {entry(5, 1)}, {Index(2), Index(2)}));
    EXPECT_EQ(b.view().last.index, Index(5));
    EXPECT_EQ(b.view().confirmed, Index(2));
}

TEST(TailFull, WhatTheDiskHasNotTakenHoldsUpMore) {
    Bench b = follower();
    b.hear(kMaster, proposal({Epoch(0), Index(1)}, {entry(2, 1, EntryKind::epoch), entry(3, 1), entry(4, 1)}, {}));
    b.hear(kMaster, proposal({Epoch(1), Index(4)}, {entry(5, 1)}, {}));
    EXPECT_EQ(b.view().last.index, Index(4));
    b.sync();
    for (uint64_t id = 1; id <= 2; ++id) {
        b.hear(kMaster, Heartbeat{Epoch(1), id, 0, {Epoch(1), Index(5)}, {}});
    }
    EXPECT_EQ(b.take<Fetch>().size(), 1u);
}

TEST(TailFull, AnEntryBringsThePairThatFits) {
    Bench b = follower();
    auto announcing = std::make_shared<Entry>(*entry(4, 1));
    announcing->announced = {Index(3), Index(3)};
    // The master's newest pair is far above.
    b.hear(kMaster, proposal({Epoch(0), Index(1)}, {entry(2, 1, EntryKind::epoch), entry(3, 1), announcing},
                             {Index(9), Index(9)}));
    EXPECT_EQ(b.view().confirmed, Index(3));
}

}  // namespace
}  // namespace assent
