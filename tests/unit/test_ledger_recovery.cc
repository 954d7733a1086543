// Starts that find damage, unfinished writes, and what is not theirs.
#include "base/crc32c.h"
#include "ledger_helpers.h"

namespace assent::ledger {
namespace {

struct Place {
    uint64_t offset;
    uint64_t size;
    RecordKind kind;
};

class LedgerRecovery : public ::testing::Test {
  protected:
    Store& open() {
        store_.reset();
        store_ = Store::open(env_, options_, opened_);
        return *store_;
    }
    // Without close(): as a crash of the process leaves it.
    void stop() { store_.reset(); }

    std::vector<Place> places(uint64_t segment) {
        std::vector<Place> found;
        walk(env_, kDir, [&](const Segment& s, uint32_t offset, const RecordHeader& h, std::string_view) {
            if (s.number == segment) found.push_back({offset, record_bytes(h.size), h.kind});
        });
        return found;
    }
    std::string refusal() { return ledger::refusal(env_, options_); }
    void expect_refused_at(const std::string& path, uint64_t offset) {
        const std::string text = refusal();
        EXPECT_NE(text.find(path + " is damaged at offset " + std::to_string(offset) + ":"), std::string::npos) << text;
        EXPECT_NE(text.find("What to do"), std::string::npos) << text;
    }

    FaultEnv env_;
    LedgerOptions options_ = test_options(4096);
    Opened opened_;
    std::unique_ptr<Store> store_;
};

TEST_F(LedgerRecovery, TornTailAtEveryByteIsCut) {
    keep(open(), appending(1, 5));
    keep(*store_, appending(6, 1));
    stop();
    const Place last = places(1).back();
    const std::string whole = env_.contents(segment_path(1));
    for (uint64_t cut = 0; cut < last.size; ++cut) {
        std::string torn = whole;
        // What was there before: zeros, or (odd cuts) what an older use of the file left.
        for (uint64_t i = last.offset + cut; i < torn.size(); ++i) torn[i] = cut % 2 ? '\xa5' : '\0';
        const bool same = torn.substr(0, last.offset + last.size) == whole.substr(0, last.offset + last.size);
        env_.set_contents(segment_path(1), torn);
        open();
        EXPECT_EQ(opened_.last.index, Index(same ? 6 : 5)) << cut;
        EXPECT_TRUE(same || cut < kRecordHeaderBytes || opened_.torn_bytes > 0) << cut;
        keep(*store_, appending(opened_.last.index.value + 1, 2, 2));
        open();
        EXPECT_EQ(opened_.last.epoch, Epoch(2)) << cut;
        EXPECT_EQ(opened_.torn_bytes, 0u);
        stop();
    }
}

TEST_F(LedgerRecovery, EveryFlippedBitBelowTheLastBatchIsRefusedWithItsOffset) {
    keep(open(), appending(1, 2));
    keep(*store_, truncating(2));
    keep(*store_, appending(2, 2));
    stop();
    const auto records = places(1);
    ASSERT_EQ(records.size(), 6u);
    const std::string whole = env_.contents(segment_path(1));
    for (const Place& place : records) {
        if (place.offset >= records[4].offset) break;
        for (uint64_t i = 0; i < place.size; ++i) {
            env_.set_contents(segment_path(1), whole);
            env_.flip_bit(segment_path(1), place.offset + i, i % 8);
            expect_refused_at(segment_path(1), place.offset);
        }
    }
}

TEST_F(LedgerRecovery, AfterAnOrderlyEndTheLastBatchIsProtectedToo) {
    keep(open(), appending(1, 3));
    ASSERT_FALSE(store_->close());
    stop();
    const auto records = places(1);
    ASSERT_EQ(records.back().kind, RecordKind::close);
    env_.flip_bit(segment_path(1), records[records.size() - 2].offset + 60, 3);
    expect_refused_at(segment_path(1), records[records.size() - 2].offset);
}

TEST_F(LedgerRecovery, AnUnfinishedBatchMayHaveLostItsFirstRecordOnly) {
    keep(open(), appending(1, 3));
    keep(*store_, appending(4, 5));
    stop();
    const auto records = places(1);
    env_.flip_bit(segment_path(1), records[4].offset + 50, 0);  // entry 4
    open();
    EXPECT_EQ(opened_.last.index, Index(3));
    EXPECT_GT(opened_.torn_bytes, 0u);
    // The same entry again: what followed its first copy is not to follow this one.
    keep(*store_, appending(4, 1));
    open();
    EXPECT_EQ(opened_.last.index, Index(4));
}

// As above, with entry 4 up to the end of a page: no padding wipes out what followed it.
TEST_F(LedgerRecovery, WhatFollowedARecordThatWasCutDoesNotFollowItsTwin) {
    options_.segment_bytes = 64 << 10;
    size_t size = 3000;
    for (bool aligned = false; !aligned; ++size) {
        SCOPED_TRACE(size);
        ASSERT_LT(size, 8000u);
        const auto names = env_.list(kDir);
        for (const std::string& name : *names) ASSERT_FALSE(env_.unlink(std::string(kDir) + "/" + name));
        keep(open(), appending(1, 3));
        stop();
        keep(open(), appending(4, 3, 1, size));
        stop();
        const Place place = places(1)[4];
        aligned = (place.offset + place.size) % 4096 == 0;
        if (!aligned) continue;
        env_.flip_bit(segment_path(1), place.offset + 50, 0);
        keep(open(), appending(4, 1, 1, size));
        EXPECT_EQ(store_->outline().last.index, Index(4));
        open();
        EXPECT_EQ(opened_.last.index, Index(4));
    }
}

TEST_F(LedgerRecovery, DamageInAnOlderSegmentIsRefused) {
    open();
    for (uint64_t i = 1; i <= 100; ++i) keep(*store_, appending(i, 1));
    stop();
    const auto records = places(1);
    EXPECT_EQ(records.back().kind, RecordKind::end);
    const std::string whole = env_.contents(segment_path(1));
    for (const Place& place : {records[0], records[1], records[records.size() - 2], records.back()}) {
        env_.set_contents(segment_path(1), whole);
        env_.flip_bit(segment_path(1), place.offset + 8, 1);
        expect_refused_at(segment_path(1), place.offset);
    }
}

TEST_F(LedgerRecovery, DamagedMissingForeignOrShortFilesAreRefused) {
    open();
    for (uint64_t i = 1; i <= 100; ++i) keep(*store_, appending(i, 1));
    stop();
    const std::string path = segment_path(2), whole = env_.contents(path);
    env_.flip_bit(path, 20, 1);
    expect_refused_at(path, 0);
    env_.set_contents(path, whole.substr(0, 3000));
    expect_refused_at(path, 3000);
    env_.set_contents(path, env_.contents(segment_path(1)));
    EXPECT_NE(refusal().find("copied or renamed"), std::string::npos);
    ASSERT_FALSE(env_.unlink(path));
    EXPECT_NE(refusal().find("cannot open " + path), std::string::npos);
    env_.set_contents(path, whole);
    env_.fail(FaultEnv::Op::open, 3);  // state-a, state-b, segment 1
    EXPECT_NE(refusal().find(segment_path(1)), std::string::npos);
    EXPECT_EQ(refusal(), "");
}

TEST_F(LedgerRecovery, NewerVersionsAreRefused) {
    open();
    stop();
    for (const std::string& path : {segment_path(1), std::string(kDir) + "/state-b"}) {
        const std::string old = env_.contents(path);
        std::string bytes = old;
        bytes[8] = 2;
        const uint32_t crc = crc32c(std::string_view(bytes).substr(0, kBlockBytes - 4));
        for (int i = 0; i < 4; ++i) bytes[kBlockBytes - 4 + i] = char(crc >> (8 * i));
        env_.set_contents(path, bytes);
        EXPECT_NE(refusal().find(path + " was written by a newer version"), std::string::npos);
        env_.set_contents(path, old);
    }
}

TEST_F(LedgerRecovery, AnotherNodesLedgerIsRefused) {
    open();
    stop();
    options_.node = NodeId(8);
    EXPECT_NE(refusal().find("belongs to node 7"), std::string::npos);
}

TEST_F(LedgerRecovery, OneWholeCopyOfTheBallotIsEnough) {
    Persist unit;
    unit.state = NodeState{{1, 2}, options_.fresh_ledger, NodeId(7), Epoch(9), NodeId(3), 5};
    keep(open(), unit);
    for (const char* name : StateFile::kNames) {
        stop();
        const std::string path = std::string(kDir) + "/" + name;
        env_.flip_bit(path, 40, 2);
        open();
        EXPECT_EQ(opened_.state, *unit.state);
        stop();
        ASSERT_FALSE(env_.unlink(path));
        open();
        EXPECT_EQ(opened_.state, *unit.state);
        EXPECT_EQ(env_.contents(std::string(kDir) + "/state-a"), env_.contents(std::string(kDir) + "/state-b"));
    }
}

TEST_F(LedgerRecovery, NoWholeCopyOfTheBallotIsRefused) {
    open();
    stop();
    const std::string a = std::string(kDir) + "/state-a", b = std::string(kDir) + "/state-b";
    const std::string old = env_.contents(a);
    env_.flip_bit(a, 100, 2);
    env_.set_contents(b, old.substr(0, 100));
    EXPECT_NE(refusal().find("no copy of the ballot is whole"), std::string::npos);
    ASSERT_FALSE(env_.unlink(b));
    EXPECT_NE(refusal().find("no copy of the ballot is whole"), std::string::npos);
    ASSERT_FALSE(env_.unlink(a));
    EXPECT_NE(refusal().find("is missing"), std::string::npos);
    env_.set_contents(a, old);
    EXPECT_EQ(refusal(), "");
}

TEST_F(LedgerRecovery, ATornBallotFallsBackToTheOneBefore) {
    open();
    NodeState state{{1, 2}, options_.fresh_ledger, NodeId(7), Epoch(9), NodeId(3), 5};
    Persist unit;
    unit.state = state;
    keep(*store_, unit);
    unit.state->ballot = Epoch(10);
    env_.fail(FaultEnv::Op::sync);
    EXPECT_TRUE(store_->write(std::span(&unit, 1)));
    stop();
    env_.crash();
    const std::string a = std::string(kDir) + "/state-a";
    env_.set_contents(a, env_.contents(a).substr(0, 200) + std::string(312, '\0'));
    open();
    EXPECT_EQ(opened_.state, state);
}

TEST_F(LedgerRecovery, WhatAStartFindsHasBeenSyncedAgain) {
    keep(open(), appending(1, 3));
    const Persist unit = appending(4, 3);
    ASSERT_FALSE(store_->write(std::span(&unit, 1)));
    stop();
    env_.crash(FaultEnv::Loss::nothing);  // the process alone: its writes are in the cache
    open();
    EXPECT_EQ(opened_.last.index, Index(6));
    stop();
    env_.crash(FaultEnv::Loss::everything);
    open();
    EXPECT_EQ(opened_.last.index, Index(6));
}

TEST_F(LedgerRecovery, WhatAFailedSyncLeftInTheCacheIsNotBelieved) {
    for (int i = 0; i < 20; ++i) {
        const uint64_t last = open().outline().last.index.value;
        const Persist unit = appending(last + 1, 3);
        ASSERT_FALSE(store_->write(std::span(&unit, 1)));
        env_.fail(FaultEnv::Op::sync);
        EXPECT_TRUE(store_->sync());
        EXPECT_TRUE(store_->sync());
        stop();
        env_.crash(FaultEnv::Loss::nothing);
        const uint64_t found = open().outline().last.index.value;
        stop();
        env_.crash(FaultEnv::Loss::everything);
        EXPECT_EQ(open().outline().last.index.value, found);
    }
}

}  // namespace
}  // namespace assent::ledger
