// What went wrong: state-a and state-b were put back from an older copy, with the segments as they were. The start took them: the
// node had forgotten the votes and leases it had given since. (Found by fuzz_ledger, with a run number that wrapped around.)
// The mend: a record says in which run it was written; a ballot that has not come so far is refused.
#include <gtest/gtest.h>

#include "base/failure.h"
#include "ledger/format.h"
#include "ledger/memory_env.h"
#include "ledger/store.h"

namespace assent::ledger {
namespace {

LedgerOptions options() {
    LedgerOptions o;
    o.dir = "/ledger";
    o.segment_bytes = 64 << 10;
    o.node = NodeId(1);
    o.fresh_ledger = LedgerId(7);
    return o;
}

void append(FaultEnv& env, uint64_t index) {
    Opened opened;
    const auto store = Store::open(env, options(), opened);
    auto entry = std::make_shared<Entry>();
    entry->epoch = Epoch(1);
    entry->index = Index(index);
    Persist unit;
    unit.append.push_back(entry);
    ASSERT_FALSE(store->write(std::span(&unit, 1)));
    ASSERT_FALSE(store->sync());
}

TEST(Regress, ABallotOlderThanTheLedgerIsRefused) {
    FaultEnv env;
    append(env, 1);
    const std::string a = env.contents("/ledger/state-a"), b = env.contents("/ledger/state-b");
    append(env, 2);
    append(env, 3);
    env.set_contents("/ledger/state-a", a);
    env.set_contents("/ledger/state-b", b);
    try {
        append(env, 4);
        FAIL() << "it was taken";
    } catch (const Failure& failure) {
        EXPECT_NE(std::string(failure.what()).find("older than the last record"), std::string::npos) << failure.what();
    }
}

}  // namespace
}  // namespace assent::ledger
