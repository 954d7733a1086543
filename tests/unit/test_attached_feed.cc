// Verdicts for an application that is behind: out of the ledger, then from the newest.
#include "attached_support.h"

namespace assent::attached {
namespace {

using test::cancel_at;
using test::Surroundings;
using test::write_at;

class Feed : public testing::Test {
  protected:
    Surroundings around_;
    FeedOptions options_;
    std::unique_ptr<VerdictFeed> feed_;

    void open() { feed_ = std::make_unique<VerdictFeed>(around_.handed, options_, around_.feed_hooks()); }
    // Until nothing is left; "4 5x": 4 is confirmed, 5 cancelled.
    std::string drain() {
        std::string out;
        while (!feed_->caught_up()) {
            const Verdict* v = feed_->front();
            if (!v && !feed_->trouble().empty()) return out + feed_->trouble();
            if (!v) {
                around_.run_posted();
                continue;
            }
            out += (out.empty() ? "" : " ") + std::to_string(v->entry->index.value) + (v->cancel ? "x" : "");
            feed_->pop();
        }
        return out;
    }
    void decide(uint64_t upto) {
        std::vector<Verdict> verdicts;
        for (uint64_t i = around_.handed.confirm.value + 1; i <= upto; ++i) {
            verdicts.push_back({around_.ledger[i - 1], nullptr});
        }
        around_.handed = {Index(upto), Index(upto)};
        feed_->add(verdicts, around_.handed);
    }
};

TEST_F(Feed, FromTheLedgerAfterAStart) {
    for (uint64_t i = 1; i <= 6; ++i) around_.ledger.push_back(write_at(i));
    around_.ledger.push_back(cancel_at(7, 4, "no"));
    around_.ledger.push_back(write_at(8));  // undecided
    around_.handed = {Index(6), Index(7)};
    open();
    feed_->restart(Index(3));
    EXPECT_TRUE(feed_->behind());
    EXPECT_EQ(drain(), "3 4x 5 6");
    EXPECT_EQ(feed_->front(), nullptr);
}

TEST_F(Feed, ACancelAboveTheStoredIndexDoesNotCount) {
    for (uint64_t i = 1; i <= 4; ++i) around_.ledger.push_back(write_at(i));
    around_.ledger.push_back(cancel_at(5, 4, "no"));
    around_.handed = {Index(4), Index(4)};
    open();
    feed_->restart(Index(1));
    EXPECT_EQ(drain(), "1 2 3 4");
}

TEST_F(Feed, GoesOverFromTheLedgerToTheNewest) {
    options_.window_bytes = 400;
    options_.read_bytes = 300;
    for (uint64_t i = 1; i <= 40; ++i) around_.ledger.push_back(write_at(i));
    around_.handed = {Index(10), Index(10)};
    open();
    feed_->restart(Index(1));
    for (uint64_t i = 11; i <= 40; ++i) decide(i);
    std::string all = "1";
    for (int i = 2; i <= 40; ++i) all += " " + std::to_string(i);
    EXPECT_EQ(drain(), all);
    EXPECT_GT(around_.reads, 5u) << "small pieces, not all at once";
}

TEST_F(Feed, NeedsNoLedgerWhileItKeepsUp) {
    for (uint64_t i = 1; i <= 3; ++i) around_.ledger.push_back(write_at(i));
    open();
    feed_->restart(Index(1));
    decide(2);
    EXPECT_EQ(drain(), "1 2");
    decide(3);
    EXPECT_FALSE(feed_->behind());
    EXPECT_EQ(drain(), "3");
    EXPECT_EQ(around_.reads, 0u);
}

// What was being read for the one before is not given to the one after it.
TEST_F(Feed, StartsAnewInTheMiddleOfARead) {
    for (uint64_t i = 1; i <= 9; ++i) around_.ledger.push_back(write_at(i));
    around_.handed = {Index(9), Index(9)};
    open();
    feed_->restart(Index(7));
    EXPECT_EQ(feed_->front(), nullptr);  // begins to read
    feed_->restart(Index(2));
    EXPECT_EQ(drain(), "2 3 4 5 6 7 8 9");
}

TEST_F(Feed, ReadsAgainAfterAnError) {
    around_.ledger.push_back(write_at(1));
    around_.handed = {Index(1), Index(1)};
    around_.read_error = "damaged";
    open();
    feed_->restart(Index(1));
    EXPECT_EQ(drain(), "damaged");
    EXPECT_EQ(feed_->front(), nullptr);
    around_.read_error.clear();
    feed_->retry();
    EXPECT_EQ(drain(), "1");
}

TEST_F(Feed, EndsWhileSomethingIsRead) {
    around_.ledger.push_back(write_at(1));
    around_.handed = {Index(1), Index(1)};
    open();
    feed_->restart(Index(1));
    EXPECT_EQ(feed_->front(), nullptr);
    feed_.reset();
    around_.run_what_came();  // belongs to nobody any more
}

}  // namespace
}  // namespace assent::attached
