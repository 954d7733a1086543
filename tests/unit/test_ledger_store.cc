// What a ledger keeps, when nothing fails.
#include "ledger_helpers.h"

namespace assent::ledger {
namespace {

class LedgerStore : public ::testing::Test {
  protected:
    Store& open() {
        store_.reset();
        store_ = Store::open(env_, options_, opened_);
        return *store_;
    }

    FaultEnv env_;
    LedgerOptions options_ = test_options();
    Opened opened_;
    std::unique_ptr<Store> store_;
};

TEST_F(LedgerStore, FormatsAndFindsItselfAgain) {
    open();
    EXPECT_TRUE(opened_.formatted);
    EXPECT_EQ(opened_.state.ledger, options_.fresh_ledger);
    EXPECT_EQ(opened_.state.node, NodeId(7));
    EXPECT_EQ(opened_.first, Index());
    options_.fresh_ledger = LedgerId(5);
    open();
    EXPECT_FALSE(opened_.formatted);
    EXPECT_EQ(opened_.state.ledger, LedgerId(0x1122334455667788));
    EXPECT_EQ(opened_.last, Position());
}

TEST_F(LedgerStore, DoesNotFormatUnlessTold) {
    options_.create = false;
    EXPECT_THROW(open(), Failure);
}

TEST_F(LedgerStore, AppendsAndReads) {
    keep(open(), appending(1, 10));
    expect_entries(*store_, 1, 10);
    auto read = store_->read(Index(4), Index(6), 1 << 20);
    ASSERT_TRUE(read);
    ASSERT_EQ(read->size(), 3u);
    EXPECT_EQ((*read)[0]->index, Index(4));
    EXPECT_EQ(store_->read(Index(4), Index(9), 1)->size(), 1u);  // at least one
    EXPECT_EQ(store_->read(Index(4), Index(9), 2 * weight(*test_entry(4)))->size(), 2u);
    EXPECT_EQ(store_->read(Index(8), Index(900), 1 << 20)->size(), 3u);
    EXPECT_FALSE(store_->read(Index(11), Index(12), 1 << 20));
    EXPECT_FALSE(store_->read(Index(0), Index(12), 1 << 20));
    open();
    EXPECT_EQ(opened_.first, Index(1));
    EXPECT_EQ(opened_.last, (Position{Epoch(1), Index(10)}));
    EXPECT_EQ(opened_.torn_bytes, 0u);
    keep(*store_, appending(11, 5));
    open();
    expect_entries(*store_, 1, 15);
}

TEST_F(LedgerStore, NothingIsReadBeforeItIsDurable) {
    const Persist unit = appending(1, 3);
    ASSERT_FALSE(open().write(std::span(&unit, 1)));
    EXPECT_FALSE(store_->read(Index(1), Index(3), 1 << 20));
    ASSERT_FALSE(store_->sync());
    EXPECT_TRUE(store_->read(Index(1), Index(3), 1 << 20));
}

TEST_F(LedgerStore, EveryKindOfEntry) {
    Entry config, epoch, cancel;
    config.index = Index(1);
    config.kind = EntryKind::config;
    config.config = std::make_shared<Config>(Config{{1, 2}, {{NodeId(7), LedgerId(3), 1}}, {}});
    epoch.index = Index(2);
    epoch.epoch = Epoch(1);
    epoch.kind = EntryKind::epoch;
    cancel.index = Index(3);
    cancel.epoch = Epoch(1);
    cancel.kind = EntryKind::cancel;
    cancel.cancel.index = Index(2);
    Persist unit;
    for (const Entry& e : {config, epoch, cancel}) unit.append.push_back(std::make_shared<Entry>(e));
    keep(open(), unit);
    open();
    const auto found = all(*store_);
    ASSERT_EQ(found.size(), 3u);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(bytes_of(*found[i]), bytes_of(*unit.append[i]));
}

TEST_F(LedgerStore, TruncatesAndGoesOn) {
    keep(open(), appending(1, 10));
    Persist unit = appending(6, 2, 2);
    unit.truncate_from = Index(6);
    keep(*store_, unit);
    for (int round = 0; round < 2; ++round) {
        const auto entries = all(*store_);
        ASSERT_EQ(entries.size(), 7u);
        EXPECT_EQ(entries[4]->epoch, Epoch(1));
        EXPECT_EQ(entries[5]->epoch, Epoch(2));
        open();
        EXPECT_EQ(opened_.last, (Position{Epoch(2), Index(7)}));
    }
    keep(*store_, truncating(6));
    EXPECT_EQ(store_->outline().last, (Position{Epoch(1), Index(5)}));
    open();
    EXPECT_EQ(opened_.last, (Position{Epoch(1), Index(5)}));
    keep(*store_, truncating(1));
    open();
    EXPECT_EQ(opened_.first, Index());
    EXPECT_EQ(opened_.last, Position());
    // After a snapshot at 51.
    Persist later = appending(52, 3, 4);
    later.mark = Index(51);
    keep(*store_, later);
    open();
    EXPECT_EQ(opened_.first, Index(52));
    EXPECT_EQ(opened_.mark, Index(51));
    expect_entries(*store_, 52, 3, 4);
}

TEST_F(LedgerStore, MarksStayUntilTruncated) {
    Persist unit = appending(1, 10);
    unit.mark = Index(10);  // rides on entry 10
    keep(open(), unit);
    open();
    EXPECT_EQ(opened_.mark, Index(10));
    keep(*store_, truncating(8));
    open();
    EXPECT_EQ(opened_.mark, Index(7));
    keep(*store_, appending(8, 3));
    open();
    EXPECT_EQ(opened_.mark, Index(7));
    keep(*store_, marking(9));
    open();
    EXPECT_EQ(opened_.mark, Index(9));
}

TEST_F(LedgerStore, MarkBeyondTheEndIsKeptInAnEmptyLedger) {
    open();
    keep(*store_, marking(40));
    open();
    EXPECT_EQ(opened_.mark, Index(40));
    EXPECT_EQ(opened_.first, Index());
}

TEST_F(LedgerStore, StateIsKept) {
    Persist unit;
    unit.state = NodeState{{1, 2}, options_.fresh_ledger, NodeId(7), Epoch(9), NodeId(3), 300000};
    keep(open(), unit);
    open();
    EXPECT_EQ(opened_.state, *unit.state);
}

TEST_F(LedgerStore, RefusesWhatDoesNotFollow) {
    keep(open(), appending(1, 3, 5));
    const Persist hole = appending(5, 1, 5);
    EXPECT_TRUE(store_->write(std::span(&hole, 1)));
    const Persist right = appending(4, 1, 5);
    EXPECT_TRUE(store_->write(std::span(&right, 1)));  // poisoned
    open();
    const Persist older = appending(4, 1, 4);
    EXPECT_TRUE(store_->write(std::span(&older, 1)));
}

TEST_F(LedgerStore, GoesOverSegmentsAndDropsThem) {
    options_.segment_bytes = 4096;
    open();
    for (uint64_t i = 1; i <= 200; ++i) keep(*store_, appending(i, 1));
    expect_entries(*store_, 1, 200);
    open();
    expect_entries(*store_, 1, 200);
    EXPECT_TRUE(env_.exists(segment_path(1)));
    ASSERT_FALSE(store_->drop_before(Index(150)));
    EXPECT_FALSE(env_.exists(segment_path(1)));
    EXPECT_FALSE(store_->read(Index(1), Index(5), 1 << 20));
    const Index first = store_->outline().first;
    EXPECT_GT(first, Index(100));
    EXPECT_LE(first, Index(150));
    expect_entries(*store_, first.value, 201 - first.value);
    open();
    EXPECT_EQ(opened_.first, first);
    expect_entries(*store_, first.value, 201 - first.value);
    ASSERT_FALSE(store_->drop_before(Index(100000)));  // the last entry stays
    EXPECT_EQ(store_->outline().last.index, Index(200));
    EXPECT_TRUE(store_->read(Index(200), Index(200), 1));
}

TEST_F(LedgerStore, OldRecordsInASegmentUsedAgainAreNotTakenForNew) {
    options_.segment_bytes = 4096;
    open();
    uint64_t last = 0;
    for (int round = 0; round < 40; ++round) {
        // Records of one size, so that old ones begin where new ones would.
        for (int i = 0; i < 30; ++i) keep(*store_, appending(++last, 1));
        ASSERT_FALSE(store_->drop_before(Index(last)));
        store_.reset();
        env_.crash();
        open();
        ASSERT_EQ(opened_.last, (Position{Epoch(1), Index(last)}));
        ASSERT_EQ(opened_.torn_bytes, 0u);
    }
    EXPECT_LE(env_.list(kDir)->size(), 2u + 2u + 4u);
}

TEST_F(LedgerStore, ABatchSpansSegments) {
    options_.segment_bytes = 4096;
    std::vector<Persist> batch;
    for (uint64_t i = 0; i < 30; ++i) {
        batch.push_back(appending(1 + i * 10, 10));
        batch.back().mark = Index(5 + i * 10);
    }
    ASSERT_FALSE(open().write(batch));
    ASSERT_FALSE(store_->sync());
    expect_entries(*store_, 1, 300);
    open();
    expect_entries(*store_, 1, 300);
    EXPECT_EQ(opened_.mark, Index(295));
}

TEST_F(LedgerStore, EntriesLargerThanASegment) {
    options_.segment_bytes = 4096;
    keep(open(), appending(1, 2));
    keep(*store_, appending(3, 3, 1, 100000));
    keep(*store_, appending(6, 2));
    open();
    const auto entries = all(*store_);
    ASSERT_EQ(entries.size(), 7u);
    EXPECT_EQ(entries[3]->data.size(), 100001u);
    ASSERT_FALSE(store_->drop_before(Index(7)));
    EXPECT_EQ(store_->outline().first, Index(6));
}

TEST_F(LedgerStore, TheLargestEntry) {
    Persist unit;
    auto entry = std::make_shared<Entry>(*test_entry(1));
    entry->data = std::string(64 << 20, 'y');
    unit.append.push_back(entry);
    keep(open(), unit);
    keep(*store_, appending(2, 1));
    open();
    EXPECT_EQ(opened_.last.index, Index(2));
    auto read = store_->read(Index(1), Index(2), 1 << 30);
    ASSERT_TRUE(read) << read.error();
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ((*read)[0]->data, entry->data);
}

TEST_F(LedgerStore, NextSegmentIsMadeInStepsAhead) {
    options_.segment_bytes = 4 << 20;
    keep(open(), appending(1, 20, 1, 100000));
    ASSERT_TRUE(store_->wants_next());
    int steps = 0;
    for (; store_->wants_next(); ++steps) ASSERT_FALSE(store_->prepare_next());
    EXPECT_EQ(steps, 4);
    EXPECT_TRUE(env_.exists(segment_path(2)));
    open();
    EXPECT_FALSE(store_->wants_next());
    keep(*store_, appending(21, 40, 1, 100000));
    open();
    EXPECT_EQ(all(*store_).size(), 60u);
}

TEST_F(LedgerStore, OneSyncForABatch) {
    open();
    keep(*store_, appending(1, 1));
    const uint64_t before = env_.operations(FaultEnv::Op::sync);
    std::vector<Persist> batch;
    for (uint64_t i = 2; i < 102; ++i) batch.push_back(appending(i, 1));
    ASSERT_FALSE(store_->write(batch));
    ASSERT_FALSE(store_->sync());
    EXPECT_EQ(env_.operations(FaultEnv::Op::sync), before + 1);
}

TEST_F(LedgerStore, IsLocked) {
    open();
    EXPECT_NE(refusal(env_, options_).find("in use"), std::string::npos);
    ASSERT_FALSE(store_->close());
    EXPECT_EQ(refusal(env_, options_), "");
}

TEST_F(LedgerStore, WalksItsRecords) {
    Persist unit = appending(1, 3);
    unit.mark = Index(2);
    keep(open(), unit);
    keep(*store_, truncating(3));
    ASSERT_FALSE(store_->close());
    std::string kinds;
    walk(env_, kDir, [&](const Segment&, uint32_t, const RecordHeader& h, std::string_view) {
        kinds += std::string(name_of(h.kind)) + " ";
    });
    EXPECT_EQ(kinds, "start entry entry entry mark truncate close ");
}

}  // namespace
}  // namespace assent::ledger
