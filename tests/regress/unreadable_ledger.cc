// What went wrong: a sector of the master's ledger could not be read any more. It answered no FETCH for the entries there, which
// nobody else had, and stayed master: all others waited for them without end (seed 1072547 of its day).
// The mend: a ledger that has an entry and cannot read it has failed, as one whose sync failed: the process ends, and a start
// says what is damaged.
#include <gtest/gtest.h>
#include <poll.h>

#include "ledger/ledger.h"
#include "ledger/memory_env.h"
#include "ledger/format.h"

namespace assent::ledger {
namespace {

class UnreadableLedger : public ::testing::Test {
  protected:
    UnreadableLedger() {
        LedgerOptions options;
        options.dir = "/ledger";
        options.segment_bytes = 64 << 10;
        options.node = NodeId(1);
        options.fresh_ledger = LedgerId(7);
        Opened opened;
        ledger_ = Ledger::open(env_, options, opened);
        ledger_->on_failure([this](const std::string& what) { failure_ = what; });
        Persist unit;
        unit.seq = PersistSeq(1);
        for (uint64_t i = 1; i <= 3; ++i) {
            auto entry = std::make_shared<Entry>();
            entry->epoch = Epoch(1);
            entry->index = Index(i);
            entry->data = std::string(2000, 'x');
            unit.append.push_back(entry);
        }
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
    env_.lose_sector("/ledger/" + segment_name(1), 512 + 3000, true);
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
