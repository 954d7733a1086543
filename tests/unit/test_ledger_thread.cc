// The ledger with its thread, on real files and on ones that fail.
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>

#include "ledger_helpers.h"

namespace assent::ledger {
namespace {

constexpr int kDeadlineMs = 60000;

class Folder {
  public:
    Folder() {
        char name[] = "/tmp/assent-ledger-XXXXXX";
        if (::mkdtemp(name) == nullptr) throw Failure("no folder for the test");
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// Waits by the eventfd as the loop does.
bool wait_for(Ledger& ledger, uint64_t seq) {
    while (ledger.completed() < PersistSeq(seq)) {
        pollfd p{ledger.event_fd(), POLLIN, 0};
        if (::poll(&p, 1, kDeadlineMs) <= 0) return false;
    }
    return true;
}

Persist numbered(uint64_t seq, Persist unit) {
    unit.seq = PersistSeq(seq);
    return unit;
}

class LedgerThread : public ::testing::Test {
  protected:
    LedgerThread() {
        options_.dir = folder_.path();
        options_.segment_bytes = 256 << 10;
    }

    Folder folder_;
    LedgerOptions options_ = test_options();
    Opened opened_;
};

TEST_F(LedgerThread, KeepsWhatIsSubmittedWhileItIsReadAndDropped) {
    constexpr uint64_t kUnits = 2000, kEach = 5;
    {
        auto ledger = Ledger::open(posix_env(), options_, opened_);
        uint64_t seen = 0;
        for (uint64_t seq = 1; seq <= kUnits; ++seq) {
            ledger->submit(numbered(seq, appending(1 + (seq - 1) * kEach, kEach, 1, 250)));
            const uint64_t done = ledger->completed().value;
            ASSERT_GE(done, seen);
            seen = done;
            if (seq % 64 == 0) {
                ASSERT_TRUE(wait_for(*ledger, seq - 32));
                auto read = ledger->read(Index((seq - 32) * kEach), Index(seq * kEach), 4096);
                ASSERT_TRUE(read) << read.error();
                EXPECT_EQ((*read)[0]->index, Index((seq - 32) * kEach));
                ledger->drop_before(Index((seq - 40) * kEach));
                ledger->stats();
            }
        }
        ASSERT_TRUE(wait_for(*ledger, kUnits));
        const LedgerStats stats = ledger->stats();
        EXPECT_EQ(stats.oldest_pending_us, 0);
        EXPECT_GT(stats.bytes, kUnits * kEach * 250);
        EXPECT_GT(stats.syncs, 0u);
        EXPECT_GT(stats.batches, 0u);
    }
    auto ledger = Ledger::open(posix_env(), options_, opened_);
    EXPECT_EQ(opened_.last.index, Index(kUnits * kEach));
    EXPECT_GT(opened_.first, Index(1));
    uint64_t expected = opened_.first.value;
    ledger->for_each([&](const EntryPtr& entry) { EXPECT_EQ(entry->index.value, expected++); });
    EXPECT_EQ(expected, kUnits * kEach + 1);
}

TEST_F(LedgerThread, WhatIsBeingTruncatedIsNotRead) {
    auto ledger = Ledger::open(posix_env(), options_, opened_);
    ledger->submit(numbered(1, appending(1, 10)));
    ASSERT_TRUE(wait_for(*ledger, 1));
    Persist unit = appending(5, 1, 2);
    unit.truncate_from = Index(5);
    ledger->submit(numbered(2, unit));
    for (bool done = false; !done;) {
        done = ledger->completed() == PersistSeq(2);
        auto read = ledger->read(Index(4), Index(10), 1 << 20);
        ASSERT_TRUE(read);
        for (const EntryPtr& entry : *read) EXPECT_TRUE(entry->index < Index(5) || entry->epoch == Epoch(2));
        EXPECT_TRUE(!done || read->size() == 2);
    }
}

TEST_F(LedgerThread, FilesAreReadableByTheGroupAlone) {
    auto ledger = Ledger::open(posix_env(), options_, opened_);
    for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
        struct stat st {};
        ASSERT_EQ(::stat(file.path().c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 0777, 0640u) << file.path();
    }
    EXPECT_THROW(Ledger::open(posix_env(), options_, opened_), Failure);
}

class LedgerPoison : public ::testing::TestWithParam<FaultEnv::Op> {};

TEST_P(LedgerPoison, AFailureIsSaidOnceAndNothingIsCompletedAfterIt) {
    FaultEnv env;
    Opened opened;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> said;
    auto ledger = Ledger::open(env, test_options(), opened);
    ledger->on_failure([&](const std::string& what) {
        const std::lock_guard guard(mutex);
        said.push_back(what);
        changed.notify_all();
    });
    ledger->submit(numbered(1, appending(1, 1)));
    ASSERT_TRUE(wait_for(*ledger, 1));
    env.fail(GetParam());
    ledger->submit(numbered(2, appending(2, 1)));
    {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, std::chrono::milliseconds(kDeadlineMs), [&] { return !said.empty(); }));
    }
    ledger->submit(numbered(3, appending(3, 1)));
    EXPECT_EQ(ledger->completed(), PersistSeq(1));
    EXPECT_FALSE(ledger->read(Index(2), Index(2), 1));
    EXPECT_NE(ledger->stats().oldest_pending_us, 0);
    ledger.reset();
    EXPECT_EQ(said.size(), 1u);
    EXPECT_NE(said[0].find("made to fail"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Operations, LedgerPoison, ::testing::Values(FaultEnv::Op::write, FaultEnv::Op::sync));

TEST(LedgerPoisonDeath, EndsTheProcessUnlessToldOtherwise) {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            FaultEnv env;
            Opened opened;
            auto ledger = Ledger::open(env, test_options(), opened);
            env.fail(FaultEnv::Op::sync);
            ledger->submit(numbered(1, appending(1, 1)));
            wait_for(*ledger, 1);
        },
        ::testing::ExitedWithCode(1), "the ledger in /ledger failed: .*What to do");
}

}  // namespace
}  // namespace assent::ledger
