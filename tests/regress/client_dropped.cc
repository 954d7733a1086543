// What went wrong: a write under way when its client was dropped brought the client back, without its other outcomes.
// The mend: who is not in the table and was born at or below its horizon is forgotten for good.
#include <gtest/gtest.h>

#include "core/clients.h"

namespace assent {
namespace {

Verdict entry(uint64_t index, EntryKind kind, ClientId client, uint64_t sequence) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(1);
    e.kind = kind;
    if (kind == EntryKind::cancel) {
        e.cancel.client = client;
        e.cancel.sequence = sequence;
    } else {
        e.client = client;
        e.sequence = sequence;
        e.first_unanswered = 1;
    }
    return {std::make_shared<const Entry>(e), nullptr};
}

void comes_too_late(EntryKind kind) {
    const ClientId ann{Index(0), 11};
    const ClientId bob{Index(0), 12};
    ClientTable table(1, 10);
    table.decide(entry(5, EntryKind::write, ann, 1));
    table.decide(entry(6, EntryKind::write, bob, 1));
    table.decide(entry(7, kind, ann, 2));
    EXPECT_EQ(table.find(ann, 1).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(ann, 3).outcome, Outcome::unknown);
    EXPECT_EQ(table.find(bob, 1).outcome, Outcome::confirmed);
}

TEST(ClientDropped, DoesNotComeBackWithAWrite) { comes_too_late(EntryKind::write); }

TEST(ClientDropped, DoesNotComeBackWithACancel) { comes_too_late(EntryKind::cancel); }

}  // namespace
}  // namespace assent
