// What went wrong: state-a and state-b were put back from an older copy, with the segments as they were. The start took them: the
// node had forgotten the votes and leases it had given since. (Found by fuzz_ledger, with a run number that wrapped around.)
// The mend: a record says in which run it was written; a ballot that has not come so far is refused.
#include "../unit/ledger_helpers.h"

namespace assent::ledger {
namespace {

void append_one(FaultEnv& env, uint64_t index) {
    Opened opened;
    const auto store = Store::open(env, test_options(), opened);
    keep(*store, appending(index, 1));
}

TEST(Regress, ABallotOlderThanTheLedgerIsRefused) {
    FaultEnv env;
    append_one(env, 1);
    const std::string a = env.contents("/ledger/state-a"), b = env.contents("/ledger/state-b");
    append_one(env, 2);
    append_one(env, 3);
    env.set_contents("/ledger/state-a", a);
    env.set_contents("/ledger/state-b", b);
    const std::string why = refusal(env, test_options());
    EXPECT_NE(why.find("older than the last record"), std::string::npos) << "taken, or: " << why;
}

}  // namespace
}  // namespace assent::ledger
