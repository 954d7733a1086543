// What went wrong: a sector of the master's ledger could not be read any more. It answered no FETCH for the entries there, which
// nobody else had, and stayed master: all others waited for them without end (seed 1072547 of its day).
// The mend: a ledger that has an entry and cannot read it has failed, as one whose sync failed: the process ends, and a start
// says what is damaged.
#include <poll.h>

#include "../unit/ledger_helpers.h"
#include "ledger/ledger.h"

namespace assent::ledger {
namespace {

class UnreadableLedger : public ::testing::Test {
  protected:
    UnreadableLedger() {
        Opened opened;
        ledger_ = Ledger::open(env_, test_options(), opened);
        ledger_->on_failure([this](const std::string& what) { failure_ = what; });
        Persist unit = appending(1, 3, 1, 2000);
        unit.seq = PersistSeq(1);
        ledger_->submit(std::move(unit));
        while (ledger_->completed() < PersistSeq(1)) {
            pollfd p{ledger_->event_fd(), POLLIN, 0};
            if (::poll(&p, 1, 60'000) <= 0) throw Failure("the ledger does not write");
        }
    }

    FaultEnv env_;
    std::unique_ptr<Ledger> ledger_;
    std::string failure_;
};

TEST_F(UnreadableLedger, AnEntryThatCannotBeReadIsAFailure) {
    env_.lose_sector(segment_path(1), 512 + 3000, true);
    EXPECT_FALSE(ledger_->read(Index(1), Index(3), 1 << 20));
    EXPECT_NE(failure_.find("cannot read"), std::string::npos) << failure_;
}

TEST_F(UnreadableLedger, AnEntryThatIsNotThereIsNone) {
    EXPECT_FALSE(ledger_->read(Index(4), Index(9), 1 << 20));
    EXPECT_TRUE(ledger_->read(Index(2), Index(9), 1 << 20));
    EXPECT_EQ(failure_, "");
}

}  // namespace
}  // namespace assent::ledger
