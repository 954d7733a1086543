// The simulator's disk itself: it keeps what it said, loses what it may, and damage is told.
#include <gtest/gtest.h>

#include "disk.h"

namespace assent::sim {
namespace {

class SimDisk : public ::testing::Test {
  protected:
    void make(uint64_t seed, uint64_t segment_bytes = 64 << 10) {
        schedule_ = Schedule();  // what the disk before this one had planned
        disk_ = std::make_unique<Disk>(schedule_, seed, NodeId(1), Span{1'000, 1'000}, segment_bytes,
                                       Disk::Hooks{[this](const Persist&) { ++synced_; },
                                                   [this](PersistSeq upto) { completed_.push_back(upto); },
                                                   [this](Disk::End how, const std::string& why) {
                                                       ended_ = how;
                                                       why_ = why;
                                                   }});
    }
    Disk::Opening start() {
        ended_.reset();
        return disk_->open(LedgerId(77));
    }
    void write(uint64_t index) {
        auto entry = std::make_shared<Entry>();
        entry->index = Index(index);
        entry->epoch = Epoch(1);
        entry->data = std::string(100, 'x') + std::to_string(index);
        Persist unit;
        unit.seq = PersistSeq(index);
        unit.append = {entry};
        unit.mark = entry->index;
        disk_->submit(std::move(unit));
    }
    // Until it is written; it takes longer until it is synced.
    void wake() {
        const int64_t until = schedule_.now() + 51;
        while (schedule_.run_one(until)) {
        }
    }
    void run() {
        while (!ended_ && schedule_.run_one(schedule_.now() + 60'000'000)) {
        }
    }
    void write_and_run(uint64_t from, uint64_t upto) {
        for (uint64_t i = from; i <= upto && !ended_; ++i) {
            write(i);
            run();
        }
    }

    Schedule schedule_;
    std::unique_ptr<Disk> disk_;
    uint64_t synced_ = 0;
    std::vector<PersistSeq> completed_;
    std::optional<Disk::End> ended_;
    std::string why_;
};

TEST_F(SimDisk, WhatCameDuringASyncGoesIntoTheNextOne) {
    make(1);
    ASSERT_TRUE(start().open);
    write(1);
    wake();
    write(2);
    write(3);
    EXPECT_TRUE(disk_->read(Index(1), Index(3), 1'000).error().size());
    run();
    EXPECT_EQ(completed_, (std::vector{PersistSeq(1), PersistSeq(3)}));
    EXPECT_EQ(synced_, 3u);
    EXPECT_EQ(disk_->read(Index(1), Index(3), 100'000)->size(), 3u);
}

TEST_F(SimDisk, APowerLossTakesOnlyWhatWasNotSynced) {
    uint64_t kept = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        make(seed, 4096);
        ASSERT_TRUE(start().open);
        write_and_run(1, 30);
        write(31);  // never synced
        wake();
        disk_->power_loss();
        const Disk::Opening found = start();
        ASSERT_TRUE(found.open) << found.why;
        EXPECT_EQ(found.broken, "");
        EXPECT_GE(found.content.entries.size(), 30u);
        kept += found.content.entries.size() - 30;
    }
    EXPECT_GT(kept, 0u);
    EXPECT_LT(kept, 40u);
}

TEST_F(SimDisk, AKilledProcessLosesNothingThatItWrote) {
    make(1);
    ASSERT_TRUE(start().open);
    write(1);
    wake();
    disk_->kill();
    EXPECT_EQ(start().content.entries.size(), 1u);
}

TEST_F(SimDisk, DamageIsToldOrDoesNoHarm) {
    uint64_t refused = 0;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        make(seed, 4096);
        ASSERT_TRUE(start().open);
        write_and_run(1, 40);
        const std::string what = disk_->damage();
        disk_->power_loss();
        const Disk::Opening found = start();
        EXPECT_EQ(found.broken, "") << "seed " << seed << ": " << what;
        EXPECT_TRUE(found.open || found.why.find("/ledger/") != std::string::npos) << found.why;
        refused += found.refused;
    }
    EXPECT_GT(refused, 50u);
    EXPECT_LT(refused, 200u);
}

TEST_F(SimDisk, AFailureEndsTheDaemonAndNothingIsLost) {
    const auto faults = {+[](Disk& d) { d.fail(ledger::FaultEnv::Op::sync, 3); },
                         +[](Disk& d) { d.fail(ledger::FaultEnv::Op::write, 3); }, +[](Disk& d) { d.fill(0); }};
    for (const auto& fault : faults) {
        make(1, 4096);
        ASSERT_TRUE(start().open);
        write_and_run(1, 10);
        fault(*disk_);
        write_and_run(11, 80);
        ASSERT_EQ(ended_, Disk::End::failure);
        const uint64_t completed = completed_.back().value;
        disk_->kill();
        disk_->mend();
        const Disk::Opening found = start();
        ASSERT_TRUE(found.open) << found.why;
        EXPECT_EQ(found.broken, "");
        EXPECT_GE(found.content.entries.size(), completed);
        completed_.clear();
    }
}

TEST_F(SimDisk, EndsInTheMiddleOfAnyOperation) {
    for (uint64_t nth = 1; nth <= 60; ++nth) {
        make(nth, 4096);
        ASSERT_TRUE(start().open);
        disk_->end_at(nth, nth % 2 ? Disk::End::power : Disk::End::kill);
        write_and_run(1, 80);
        ASSERT_EQ(ended_, nth % 2 ? Disk::End::power : Disk::End::kill);
        nth % 2 ? disk_->power_loss() : disk_->kill();
        const Disk::Opening found = start();
        ASSERT_TRUE(found.open) << found.why;
        EXPECT_EQ(found.broken, "");
    }
}

TEST_F(SimDisk, AWipedOneHasAnotherLedger) {
    make(1);
    ASSERT_TRUE(start().open);
    write_and_run(1, 3);
    disk_->wipe();
    const Disk::Opening found = disk_->open(LedgerId(78));
    EXPECT_EQ(found.broken, "");
    EXPECT_EQ(found.content.state.ledger, LedgerId(78));
    EXPECT_TRUE(found.content.entries.empty());
}

}  // namespace
}  // namespace assent::sim
