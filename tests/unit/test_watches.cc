// Watching confirmed writes: each once and in order, out of the ledger or from the newest, and never more than there is
// room for.
#include "attached_support.h"
#include "daemon/watches.h"

namespace assent {
namespace {

using test::cancel_at;
using test::other_at;
using test::Surroundings;
using test::write_at;

// A client: what it was shown.
struct Watcher {
    std::vector<uint64_t> indexes;
    std::vector<std::string> data;
    uint64_t upto = 0;
    size_t frames = 0;
    std::optional<pb::Reply> ended;
};

class WatchesTest : public testing::Test {
  protected:
    static constexpr uint64_t kSession = 7;

    Surroundings around_;
    WatchOptions options_;
    Index first_{1};
    size_t waiting_ = 0;
    bool again_ = false;
    std::map<std::pair<uint64_t, uint64_t>, Watcher> watchers_;
    std::unique_ptr<Watches> watches_;

    void open() {
        WatchHooks h;
        h.send = [this](uint64_t session, pb::Watched&& w) { shown(watchers_[{session, w.id()}], w); };
        h.reply = [this](uint64_t session, const pb::Reply& r) { watchers_[{session, r.id()}].ended = r; };
        h.waiting_bytes = [this](uint64_t) { return waiting_; };
        h.first = [this] { return first_; };
        h.durable = [this] { return Index(around_.ledger.size()); };
        h.read = around_.feed_hooks().read;
        h.post = around_.feed_hooks().post;
        h.again = [this] { again_ = true; };
        watches_ = std::make_unique<Watches>(around_.handed, options_, h);
    }
    static void shown(Watcher& watcher, const pb::Watched& w) {
        ++watcher.frames;
        for (const pb::WatchedWrite& write : w.writes()) {
            EXPECT_GT(write.index(), watcher.upto) << "each once, in order";
            EXPECT_LE(write.index(), w.upto());
            watcher.indexes.push_back(write.index());
            watcher.data.push_back(write.data());
        }
        watcher.upto = w.upto();
    }
    void append(uint64_t upto, size_t bytes = 0) {
        for (uint64_t i = around_.ledger.size() + 1; i <= upto; ++i)
            around_.ledger.push_back(write_at(i, bytes ? std::string(bytes, 'x') : ""));
    }
    void decide(uint64_t upto) {
        std::vector<Verdict> verdicts;
        for (uint64_t i = around_.handed.confirm.value + 1; i <= upto; ++i) {
            Verdict v{around_.ledger[i - 1], nullptr};
            for (const EntryPtr& e : around_.ledger)
                if (e->kind == EntryKind::cancel && e->cancel.index.value == i) v.cancel = e;
            verdicts.push_back(v);
        }
        around_.handed = {Index(upto), Index(around_.ledger.size())};
        watches_->add(verdicts, around_.handed);
        watches_->flush();
    }
    Watcher& watch(uint64_t from, uint64_t id = 1, uint64_t window = 0, uint64_t session = kSession) {
        pb::Request request;
        request.set_id(id);
        request.mutable_watch()->set_from(from);
        request.mutable_watch()->set_window_bytes(uint32_t(window));
        watches_->begin(session, request);
        watches_->flush();
        return watchers_[{session, id}];
    }
    void take(uint64_t upto, uint64_t id = 1) {
        pb::WatchTaken taken;
        taken.set_id(id);
        taken.set_upto(upto);
        watches_->taken(kSession, taken);
        watches_->flush();
    }
    // Reads from the ledger until the watcher has seen everything up to here.
    void until(const Watcher& watcher, uint64_t upto) {
        for (int n = 0; n < 1000 && watcher.upto < upto && !watcher.ended; ++n) {
            around_.run_posted();
            watches_->flush();
        }
        EXPECT_EQ(watcher.upto, upto);
    }
    static std::vector<uint64_t> range(uint64_t from, uint64_t upto) {
        std::vector<uint64_t> all;
        for (uint64_t i = from; i <= upto; ++i) all.push_back(i);
        return all;
    }
};

TEST_F(WatchesTest, TheNewestAreShownAsTheyAreConfirmed) {
    append(5);
    around_.handed = {Index(2), Index(2)};
    open();
    Watcher& watcher = watch(0);
    EXPECT_EQ(watcher.upto, 2u) << "it knows its place before anything is written";
    decide(4);
    EXPECT_EQ(watcher.indexes, (std::vector<uint64_t>{3, 4}));
    EXPECT_EQ(watcher.data.back(), "write 4");
    decide(5);
    EXPECT_EQ(watcher.indexes, (std::vector<uint64_t>{3, 4, 5}));
    EXPECT_EQ(around_.reads, 0u);
}

TEST_F(WatchesTest, OldOnesComeFromTheLedgerAndGoOverToTheNewest) {
    options_.read_bytes = 300;
    options_.kept_bytes = 500;
    append(40);
    around_.handed = {Index(20), Index(20)};
    open();
    Watcher& watcher = watch(5);
    for (uint64_t i = 21; i <= 40; ++i) decide(i);
    until(watcher, 40);
    EXPECT_EQ(watcher.indexes, range(5, 40));
    EXPECT_GT(around_.reads, 3u);
}

TEST_F(WatchesTest, WhatIsCancelledOrNoWriteOnlyMovesThePlace) {
    append(2);
    around_.ledger.push_back(other_at(3));
    around_.ledger.push_back(cancel_at(4, 2, "no"));
    open();
    Watcher& watcher = watch(1);
    decide(4);
    EXPECT_EQ(watcher.indexes, (std::vector<uint64_t>{1}));
    EXPECT_EQ(watcher.upto, 4u);
}

// At a start the application's index may be above every pair that the ledger tells.
TEST_F(WatchesTest, ACancelBehindTheLastConfirmedEntryCounts) {
    append(2);
    around_.ledger.push_back(cancel_at(3, 2, "no"));
    around_.handed = {Index(2), Index(2)};
    open();
    Watcher& watcher = watch(1);
    until(watcher, 2);
    EXPECT_EQ(watcher.indexes, (std::vector<uint64_t>{1}));
}

TEST_F(WatchesTest, FromAnIndexThatIsYetToCome) {
    append(6);
    open();
    Watcher& watcher = watch(5);
    decide(4);
    EXPECT_EQ(watcher.frames, 0u);
    decide(6);
    EXPECT_EQ(watcher.indexes, (std::vector<uint64_t>{5, 6}));
}

TEST_F(WatchesTest, NoMoreThanTheWindowWithoutTaken) {
    append(100, 1000);
    open();
    Watcher& slow = watch(1, 1, 4000);
    Watcher& quick = watch(1, 2, 1'000'000);
    for (uint64_t i = 1; i <= 100; ++i) decide(i);
    EXPECT_EQ(quick.indexes, range(1, 100));
    EXPECT_LT(slow.indexes.size(), 6u);
    EXPECT_GT(slow.indexes.size(), 2u);
    take(slow.upto);
    EXPECT_LT(slow.indexes.size(), 12u);
    for (int n = 0; n < 100 && slow.upto < 100; ++n) {
        around_.run_what_came();
        take(slow.upto);
    }
    EXPECT_EQ(slow.indexes, range(1, 100));
}

// The smallest window shows one write after the other; so does the ledger.
TEST_F(WatchesTest, ATinyWindow) {
    append(5, 1000);
    around_.handed = {Index(5), Index(5)};
    open();
    Watcher& watcher = watch(1, 1, 1);
    for (uint64_t upto = 1; upto <= 5; ++upto) {
        until(watcher, upto);
        take(upto);
    }
    EXPECT_EQ(watcher.indexes, range(1, 5));
}

TEST_F(WatchesTest, NothingIsAddedToWhatIsNotRead) {
    append(2);
    open();
    Watcher& watcher = watch(1);
    waiting_ = options_.session_bytes;
    decide(2);
    EXPECT_EQ(watcher.upto, 0u);
    waiting_ = 0;
    watches_->tick();
    EXPECT_TRUE(again_);
    watches_->flush();
    EXPECT_EQ(watcher.indexes, range(1, 2));
}

// One batch of the loop shows so much and no more; then it is the next one's turn.
TEST_F(WatchesTest, ABatchHasABound) {
    options_.batch_bytes = 3000;
    append(10, 2000);
    open();
    Watcher& one = watch(1, 1);
    Watcher& two = watch(1, 2);
    decide(10);
    EXPECT_TRUE(again_);
    EXPECT_LT(one.indexes.size() + two.indexes.size(), 20u);
    for (int n = 0; n < 20; ++n) watches_->flush();
    EXPECT_EQ(one.indexes, range(1, 10));
    EXPECT_EQ(two.indexes, range(1, 10));
}

TEST_F(WatchesTest, EndsWithStopAndWithTheSession) {
    append(4);
    open();
    Watcher& stopped = watch(1, 1);
    Watcher& lost = watch(1, 2);
    Watcher& other = watch(1, 2, 0, kSession + 1);
    decide(2);
    pb::WatchStop stop;
    stop.set_id(1);
    watches_->stop(kSession, stop);
    ASSERT_TRUE(stopped.ended);
    EXPECT_EQ(stopped.ended->code(), pb::DONE);
    watches_->on_session_closed(kSession);
    decide(4);
    EXPECT_EQ(stopped.upto, 2u);
    EXPECT_EQ(lost.upto, 2u);
    EXPECT_FALSE(lost.ended);
    EXPECT_EQ(other.upto, 4u);
    watches_->stop(kSession, stop);  // once more: nobody is there
}

TEST_F(WatchesTest, EndsWhereTheLedgerBeginsLater) {
    append(9);
    around_.handed = {Index(9), Index(9)};
    first_ = Index(6);
    around_.read_error = "not there";
    open();
    Watcher& watcher = watch(3);
    around_.run_posted();
    ASSERT_TRUE(watcher.ended);
    EXPECT_EQ(watcher.ended->code(), pb::NO_SUCH_KEY);
    EXPECT_NE(watcher.ended->reason().find("index 6"), std::string::npos) << watcher.ended->reason();
}

TEST_F(WatchesTest, ReadsAgainBeforeItGivesUp) {
    append(3);
    around_.handed = {Index(3), Index(3)};
    around_.read_error = "damaged";
    open();
    Watcher& watcher = watch(1);
    around_.run_posted();
    EXPECT_FALSE(watcher.ended);
    around_.read_error.clear();
    watches_->tick();
    watches_->flush();
    until(watcher, 3);
    around_.read_error = "damaged again";
    Watcher& second = watch(1, 2);
    for (int n = 0; n < 100 && !second.ended; ++n) {
        around_.run_posted();
        watches_->tick();
        watches_->flush();
    }
    ASSERT_TRUE(second.ended);
    EXPECT_EQ(second.ended->code(), pb::OTHER_ERROR);
}

TEST_F(WatchesTest, TooManyAreRefused) {
    options_.most = 3;
    options_.most_of_session = 2;
    open();
    EXPECT_FALSE(watch(1, 1).ended);
    EXPECT_FALSE(watch(1, 2).ended);
    ASSERT_TRUE(watch(1, 3).ended);
    EXPECT_EQ(watchers_.at({kSession, 3}).ended->code(), pb::BUSY);
    EXPECT_FALSE(watch(1, 1, 0, kSession + 1).ended);
    EXPECT_TRUE(watch(1, 1, 0, kSession + 2).ended);
}

// A watch that ended while a piece was read for it does not get it, nor does the next one of that name.
TEST_F(WatchesTest, APieceForAWatchThatIsGone) {
    append(5);
    around_.handed = {Index(5), Index(5)};
    open();
    watch(1);
    watches_->on_session_closed(kSession);
    Watcher& next = watch(4);
    until(next, 5);
    EXPECT_EQ(next.indexes, range(4, 5));
}

}  // namespace
}  // namespace assent
