// What went wrong: a write of the second state file failed half done; the next start began with the first one, which failed
// half done too, and no copy was whole: a node lost for nothing but two failed writes.
// The mend: the copy that is known to be whole is written last.
#include <gtest/gtest.h>

#include "ledger/memory_env.h"
#include "ledger/state_file.h"

namespace assent::ledger {
namespace {

StateBlock block(uint64_t ballot, uint64_t sequence) {
    StateBlock b;
    b.state.node = NodeId(1);
    b.state.ballot = Epoch(ballot);
    b.sequence = sequence;
    return b;
}

// A start that loads the ballot and fails to save a greater one: in the nth write.
void failing_start(FaultEnv& env, uint64_t sequence, uint64_t nth) {
    StateFile file(env, "/ledger");
    StateBlock found;
    ASSERT_TRUE(file.load(found));
    EXPECT_GE(found.state.ballot, Epoch(1));
    env.fail(FaultEnv::Op::write, nth);
    EXPECT_TRUE(file.save(block(sequence, sequence)));
    env.crash(FaultEnv::Loss::nothing);
}

TEST(Regress, BallotIsNotWrittenOverWhereItAloneIsWhole) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        FaultEnv env(seed);
        {
            StateFile file(env, "/ledger");
            StateBlock none;
            ASSERT_FALSE(file.load(none));
            ASSERT_FALSE(file.format(block(1, 1)));
        }
        env.crash(FaultEnv::Loss::nothing);
        for (uint64_t start = 2; start <= 8; ++start) {
            SCOPED_TRACE(std::to_string(seed) + ", start " + std::to_string(start));
            ASSERT_NO_THROW(failing_start(env, start, seed % 3 ? 1 + start % 2 : 1));
        }
    }
}

}  // namespace
}  // namespace assent::ledger
