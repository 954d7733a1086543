// The application thread: order, merging, held queries, a hung application, its failure, and stopping.
#include <gtest/gtest.h>

#include <poll.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>

#include "app/runner.h"
#include "base/clock.h"

namespace assent {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

EntryPtr make_entry(uint64_t index, std::string data = "x") {
    Entry e;
    e.index = Index(index);
    e.data = std::move(data);
    return std::make_shared<Entry>(std::move(e));
}

std::vector<EntryPtr> entries(uint64_t first, uint64_t last) {
    std::vector<EntryPtr> out;
    for (uint64_t i = first; i <= last; ++i) out.push_back(make_entry(i));
    return out;
}

// A gate that the application's calls go through; the test opens it.
class Gate {
  public:
    void close() { set(false); }
    void open() { set(true); }
    void pass() {
        std::unique_lock lock(mutex_);
        ++arrived_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    // Until that many calls have come so far, stopped at the gate or not.
    bool wait_arrived(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return arrived_ >= count; });
    }

  private:
    void set(bool open) {
        std::lock_guard lock(mutex_);
        open_ = open;
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
    int arrived_ = 0;
};

// Notes what it was given. Entries with data "result" have one, those with "fail" throw.
class TestApplication : public Application {
  public:
    struct Seen {
        std::mutex mutex;
        Gate gate;
        std::vector<size_t> batches;
        bool closed = false;
    };
    explicit TestApplication(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
    ~TestApplication() override {
        std::lock_guard lock(seen_->mutex);
        seen_->closed = true;
    }
    const char* kind() const override { return "test"; }
    ClusterId cluster() const override { return {}; }
    Index durable_applied() const override { return Index(10); }
    Result<bool> check_write(std::string_view) const override { return true; }
    void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) override {
        seen_->gate.pass();
        for (const EntryPtr& e : entries) {
            if (e->index != next(applied_)) throw Failure("out of order");
            applied_ = e->index;
            if (e->data == "fail") throw Failure("no space on the disk");
            if (e->data == "result") results.push_back({e->index, "r" + std::to_string(e->index.value)});
        }
        std::lock_guard lock(seen_->mutex);
        seen_->batches.push_back(entries.size());
    }
    Result<std::string> result_of(Index index) override {
        if (index > applied_) return Error{"not known"};
        return "r" + std::to_string(index.value);
    }
    Result<std::string> query(std::string_view request, Index applied) override {
        seen_->gate.pass();
        if (applied != applied_) throw Failure("the runner has lost count");
        if (request == "bad") return Error{"malformed"};
        return std::string(request) + "@" + std::to_string(applied.value);
    }
    uint64_t digest() override { return applied_.value * 3; }

  private:
    std::shared_ptr<Seen> seen_;
    Index applied_{10};
};

class RunnerTest : public ::testing::Test {
  protected:
    void start(RunnerOptions options = {}, ApplicationRunner::FailureHandler handler = {}) {
        runner_ =
            std::make_unique<ApplicationRunner>(std::make_unique<TestApplication>(seen_), options, std::move(handler));
    }
    // Takes what comes until `done` says so.
    template <typename Done> bool take_until(Done done) {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        while (!done()) {
            pollfd fd{runner_->event_fd(), POLLIN, 0};
            if (::poll(&fd, 1, 1000) == 1) note(runner_->take());
            if (std::chrono::steady_clock::now() > deadline) return false;
        }
        return true;
    }
    void note(AppCompletions news) {
        EXPECT_GE(news.applied, applied_);
        applied_ = news.applied;
        for (auto& r : news.results) {
            EXPECT_LE(r.index, applied_);
            results_.push_back(std::move(r));
        }
        for (auto& a : news.answers) {
            EXPECT_LE(a.applied, applied_);
            answers_[a.token.value] = a.answer ? *a.answer : "error: " + a.answer.error();
        }
        for (auto& d : news.digests) digests_.push_back(d);
    }
    bool take_applied(uint64_t index) {
        return take_until([&] { return applied_ == Index(index); });
    }
    bool take_answers(size_t count) {
        return take_until([&] { return answers_.size() >= count; });
    }
    // Until the application thread has nothing more to do.
    bool wait_idle() {
        const auto deadline = std::chrono::steady_clock::now() + kPatience;
        while (runner_->oldest_pending_us() != 0) {
            std::this_thread::yield();
            if (std::chrono::steady_clock::now() > deadline) return false;
        }
        return true;
    }
    std::vector<size_t> batches() {
        std::lock_guard lock(seen_->mutex);
        return seen_->batches;
    }

    std::shared_ptr<TestApplication::Seen> seen_ = std::make_shared<TestApplication::Seen>();
    std::unique_ptr<ApplicationRunner> runner_;
    Index applied_;
    std::vector<AppliedResult> results_;
    std::map<uint64_t, std::string> answers_;
    std::vector<AppDigest> digests_;
};

TEST_F(RunnerTest, begins_where_the_application_is) {
    start();
    EXPECT_EQ(runner_->take().applied, Index(10));
    EXPECT_STREQ(runner_->application().kind(), "test");
    EXPECT_EQ(runner_->backlog_bytes(), 0u);
}

TEST_F(RunnerTest, applies_in_order_and_returns_the_results_that_there_are) {
    start();
    runner_->apply({make_entry(11), make_entry(12, "result")});
    runner_->apply({});
    runner_->apply({make_entry(13, "result")});
    ASSERT_TRUE(take_applied(13));
    ASSERT_EQ(results_.size(), 2u);
    EXPECT_EQ(results_[0].index, Index(12));
    EXPECT_EQ(results_[1].result, "r13");
    ASSERT_TRUE(wait_idle());
    EXPECT_EQ(runner_->backlog_bytes(), 0u);
}

TEST_F(RunnerTest, merges_what_came_meanwhile_up_to_a_bound) {
    RunnerOptions options;
    options.batch_entries = 4;
    start(options);
    seen_->gate.close();
    runner_->apply(entries(11, 11));
    ASSERT_TRUE(seen_->gate.wait_arrived(1));
    runner_->apply(entries(12, 13));
    runner_->query(Token(1), Index(), "q");
    runner_->apply(entries(14, 20));
    seen_->gate.open();
    ASSERT_TRUE(take_applied(20));
    EXPECT_EQ(batches(), (std::vector<size_t>{1, 4, 4, 1}));
    ASSERT_TRUE(take_answers(1));
    EXPECT_EQ(answers_[1], "q@15");
}

TEST_F(RunnerTest, merges_up_to_bytes_but_takes_one) {
    RunnerOptions options;
    options.batch_bytes = 10;
    start(options);
    runner_->apply(entries(11, 13));
    ASSERT_TRUE(take_applied(13));
    EXPECT_EQ(batches(), (std::vector<size_t>{1, 1, 1}));
}

TEST_F(RunnerTest, questions_see_what_was_handed_over_before) {
    start();
    runner_->apply(entries(11, 14));
    runner_->query(Token(1), Index(), "a");
    runner_->query(Token(2), Index(14), "bad");
    runner_->result_of(Token(3), Index(14));
    runner_->result_of(Token(4), Index(99));
    runner_->digest(Token(5));
    ASSERT_TRUE(take_until([&] { return answers_.size() == 4 && digests_.size() == 1; }));
    EXPECT_EQ(answers_[1], "a@14");
    EXPECT_EQ(answers_[2], "error: malformed");
    EXPECT_EQ(answers_[3], "r14");
    EXPECT_EQ(answers_[4], "error: not known");
    EXPECT_EQ(digests_[0].token, Token(5));
    EXPECT_EQ(digests_[0].applied, Index(14));
    EXPECT_EQ(digests_[0].digest, 42u);
}

TEST_F(RunnerTest, holds_queries_until_their_index_is_applied) {
    start();
    runner_->query(Token(1), Index(13), "a");
    runner_->query(Token(2), Index(12), "b");
    runner_->query(Token(3), Index(12), "c");
    runner_->query(Token(4), Index(11), "d");
    runner_->forget(Token(3));
    runner_->forget(Token(77));
    runner_->query(Token(5), Index(10), "e");
    ASSERT_TRUE(take_answers(1));
    EXPECT_EQ(answers_, (std::map<uint64_t, std::string>{{5, "e@10"}}));
    ASSERT_TRUE(wait_idle());  // held queries are no work
    EXPECT_GT(runner_->backlog_bytes(), 0u);
    runner_->apply(entries(11, 12));
    ASSERT_TRUE(take_answers(3));
    EXPECT_EQ(answers_, (std::map<uint64_t, std::string>{{2, "b@12"}, {4, "d@12"}, {5, "e@10"}}));
    runner_->apply(entries(13, 13));
    ASSERT_TRUE(take_answers(4));
    EXPECT_EQ(answers_[1], "a@13");
    ASSERT_TRUE(wait_idle());
    EXPECT_EQ(runner_->backlog_bytes(), 0u);
}

TEST_F(RunnerTest, a_hung_application_shows) {
    start();
    EXPECT_TRUE(wait_idle());
    const int64_t before = raw_now_us();
    seen_->gate.close();
    runner_->apply(entries(11, 11));
    ASSERT_TRUE(seen_->gate.wait_arrived(1));
    const int64_t since = runner_->oldest_pending_us();
    EXPECT_GE(since, before);
    runner_->apply(entries(12, 12));
    EXPECT_EQ(runner_->oldest_pending_us(), since);
    EXPECT_EQ(runner_->backlog_bytes(), 2 * weight(*make_entry(11)));
    seen_->gate.open();
    ASSERT_TRUE(take_applied(12));
    EXPECT_TRUE(wait_idle());
}

TEST_F(RunnerTest, its_failure_is_told_and_nothing_is_executed_after_it) {
    std::promise<std::string> told;
    start({}, [&](const std::string& why) { told.set_value(why); });
    runner_->apply({make_entry(11), make_entry(12, "fail")});
    runner_->query(Token(1), Index(), "a");
    auto why = told.get_future();
    ASSERT_EQ(why.wait_for(kPatience), std::future_status::ready);
    EXPECT_EQ(why.get(), "no space on the disk");
    const AppCompletions news = runner_->take();
    EXPECT_EQ(news.applied, Index(10));
    EXPECT_TRUE(news.answers.empty());
    EXPECT_NE(runner_->oldest_pending_us(), 0);
    runner_.reset();
}

using RunnerDeathTest = RunnerTest;

TEST_F(RunnerDeathTest, without_a_handler_its_failure_ends_the_process) {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            start();
            runner_->apply({make_entry(11, "fail")});
            take_until([] { return false; });
        },
        ::testing::ExitedWithCode(1), "assentd: no space on the disk");
}

TEST_F(RunnerTest, stopping_drops_the_queue) {
    RunnerOptions options;
    options.batch_entries = 1;
    start(options);
    seen_->gate.close();
    runner_->apply(entries(11, 1000));
    ASSERT_TRUE(seen_->gate.wait_arrived(1));
    runner_->stop();
    seen_->gate.open();
    runner_.reset();
    EXPECT_TRUE(seen_->closed);
    EXPECT_EQ(batches(), std::vector<size_t>{1});
}

TEST_F(RunnerTest, many_batches_and_queries) {
    start();
    uint64_t last = 10;
    for (uint64_t i = 0; i < 5000; ++i) {
        runner_->apply(entries(last + 1, last + 3));
        last += 3;
        runner_->query(Token(i + 1), Index(last), "q");
        if (i % 16 == 0) note(runner_->take());
    }
    ASSERT_TRUE(take_until([&] { return answers_.size() == 5000 && applied_ == Index(last); }));
    ASSERT_TRUE(wait_idle());
    EXPECT_EQ(runner_->backlog_bytes(), 0u);
}

}  // namespace
}  // namespace assent
