// An application that is part of the daemon, as its group sees it: what it is given, what is told of it, and its health.
#include "app/built_in.h"

#include <atomic>

#include "attached_support.h"
#include "base/clock.h"
#include "run_loop.h"

namespace assent::test {
namespace {

constexpr int64_t kHungUs = 1'000'000;

// Notes what it applied, one word an entry. Entries with data "result" have one. Waits while the gate is closed.
class Noting : public Application {
  public:
    struct Seen {
        std::mutex mutex;
        std::condition_variable changed;
        bool closed = false;
        Words applied;
        std::atomic<unsigned> results_asked = 0;

        void gate(bool open) {
            const std::lock_guard guard(mutex);
            closed = !open;
            changed.notify_all();
        }
        Words take() {
            const std::lock_guard guard(mutex);
            return std::exchange(applied, {});
        }
    };
    Noting(Seen& seen, uint64_t durable) : seen_(seen), durable_(durable), applied_(durable) {}

    const char* kind() const override { return "noting"; }
    ClusterId cluster() const override { return {}; }
    Index durable_applied() const override { return durable_; }
    Result<bool> check_write(std::string_view request) const override { return !request.empty(); }
    void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) override {
        std::unique_lock lock(seen_.mutex);
        seen_.changed.wait(lock, [this] { return !seen_.closed; });
        for (const EntryPtr& e : entries) {
            if (e->index != next(applied_)) throw Failure("out of order");
            applied_ = e->index;
            const bool write = e->kind == EntryKind::write;
            seen_.applied.push_back(std::to_string(e->index.value) + (write ? " " + e->data.substr(0, 8) : ""));
            if (e->data == "result") results.push_back({e->index, "of " + std::to_string(e->index.value)});
        }
    }
    Result<std::string> result_of(Index index) override {
        ++seen_.results_asked;
        return "kept " + std::to_string(index.value);
    }
    Result<std::string> query(std::string_view request, Index applied) override {
        return std::string(request) + " at " + std::to_string(applied.value);
    }
    uint64_t digest() override { return 0; }

  private:
    Seen& seen_;
    const Index durable_;
    Index applied_;
};

class BuiltInBench : public testing::Test {
  protected:
    Loop loop_;
    Noting::Seen seen_;
    Surroundings around_;
    std::unique_ptr<BuiltIn> host_;

    Index applied_;
    std::map<uint64_t, std::string> results_;
    std::map<uint64_t, std::string> answers_;  // by token
    std::vector<bool> health_;
    std::function<void(Index)> on_applied_;

    void open(uint64_t durable = 0) {
        HostHooks hooks;
        hooks.event = [this](const Event& e) {
            if (const auto* a = std::get_if<event::Applied>(&e)) applied_ = a->upto;
            if (const auto* h = std::get_if<event::Application>(&e)) health_.push_back(h->healthy);
        };
        hooks.applied = [this](Index upto, const std::vector<AppliedResult>& results) {
            EXPECT_EQ(upto, applied_);
            for (const AppliedResult& r : results) results_[r.index.value] = r.result;
            if (on_applied_) on_applied_(upto);
        };
        hooks.answered = [this](Token token, const Result<std::string>& answer, Index applied) {
            EXPECT_LE(applied, applied_);
            answers_[token.value] = answer ? *answer : "error: " + answer.error();
        };
        host_ = std::make_unique<BuiltIn>(
            loop_, std::make_unique<Noting>(seen_, durable), kHungUs, [this] { return around_.handed; }, hooks,
            around_.feed_hooks().read);
    }
    void TearDown() override { seen_.gate(true); }

    void append(const EntryPtr& e) { around_.ledger.push_back(e); }
    void decide(uint64_t upto) { host_->decided(around_.decide(upto)); }
    void run_until_applied(uint64_t index) {
        run_until(loop_, [&] { return applied_ == Index(index); });
    }
};

TEST_F(BuiltInBench, WhatIsDecidedIsAppliedAndTold) {
    open();
    append(other_at(1));
    append(write_at(2, "result"));
    append(write_at(3));
    append(write_at(4));
    append(cancel_at(5, 3, "no"));
    decide(2);
    run_until_applied(2);
    decide(5);
    run_until_applied(5);
    EXPECT_EQ(seen_.take(), (Words{"1", "2 result", "3", "4 write 4", "5"})) << "a cancelled one moves the place alone";
    EXPECT_EQ(results_, (std::map<uint64_t, std::string>{{2, "of 2"}}));
    EXPECT_EQ(around_.reads, 0u);
    EXPECT_EQ(host_->status().state, "healthy");
    EXPECT_STREQ(host_->kind(), "noting");
    EXPECT_FALSE(*host_->check_write(""));
}

TEST_F(BuiltInBench, WhatItsStoreHasNotComesFromTheLedger) {
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    append(cancel_at(4, 3, "no"));
    append(write_at(5));
    around_.handed = {Index(4), Index(5)};
    open(1);
    EXPECT_EQ(host_->status().durable, Index(1));
    decide(5);
    run_until_applied(5);
    EXPECT_EQ(seen_.take(), (Words{"2 write 2", "3", "4", "5 write 5"}));
    EXPECT_GT(around_.reads, 0u);
}

TEST_F(BuiltInBench, WhatIsTooMuchInHandWaitsInTheLedger) {
    open();
    seen_.gate(false);
    for (uint64_t i = 1; i <= 30; ++i) append(write_at(i, std::string(1 << 20, 'x')));
    for (uint64_t i = 1; i <= 30; ++i) decide(i);
    EXPECT_EQ(around_.reads, 0u) << "there is enough in hand";
    seen_.gate(true);
    run_until_applied(30);
    EXPECT_GT(around_.reads, 0u);
    EXPECT_EQ(seen_.take().size(), 30u);
}

// Who is told of a write just now, and asks for its result, was given all there is.
TEST_F(BuiltInBench, AnEmptyResultIsNotAskedFor) {
    open();
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    decide(1);
    run_until_applied(1);
    on_applied_ = [this](Index upto) {
        host_->result_of(Token(10 + upto.value), upto);
        EXPECT_TRUE(answers_.empty()) << "not inside the call";
    };
    decide(2);
    run_until_applied(2);
    EXPECT_EQ(answers_, (std::map<uint64_t, std::string>{{12, ""}}));
    EXPECT_EQ(seen_.results_asked, 0u);
    on_applied_ = [this](Index) { host_->result_of(Token(21), Index(1)); };
    decide(3);
    run_until(loop_, [&] { return answers_.count(21) != 0; });
    EXPECT_EQ(answers_[21], "kept 1") << "that one was told of before";
    on_applied_ = {};
    host_->result_of(Token(31), Index(3));
    run_until(loop_, [&] { return answers_.count(31) != 0; });
    EXPECT_EQ(answers_[31], "kept 3") << "nobody is being told";
}

TEST_F(BuiltInBench, AQueryWaitsForItsIndex) {
    open();
    append(write_at(1));
    append(write_at(2));
    host_->query(Token(1), Index(2), "held");
    host_->query(Token(2), Index(2), "forgotten");
    host_->query(Token(3), Index(), "now");
    run_until(loop_, [&] { return answers_.count(3) != 0; });
    EXPECT_EQ(answers_.size(), 1u);
    host_->forget(Token(2));
    decide(2);
    run_until(loop_, [&] { return answers_.count(1) != 0; });
    EXPECT_EQ(answers_, (std::map<uint64_t, std::string>{{1, "held at 2"}, {3, "now at 0"}}));
}

TEST_F(BuiltInBench, HungAndWellAgain) {
    open();
    seen_.gate(false);
    append(write_at(1));
    decide(1);
    const int64_t now = raw_now_us();
    host_->tick(now);
    EXPECT_TRUE(health_.empty());
    host_->tick(now + kHungUs);
    host_->tick(now + 2 * kHungUs);
    EXPECT_EQ(health_, (std::vector<bool>{false}));
    EXPECT_EQ(host_->status().state, "hung");
    EXPECT_FALSE(host_->status().reason.empty());
    seen_.gate(true);
    run_until_applied(1);
    host_->tick(now + 3 * kHungUs);
    EXPECT_EQ(health_, (std::vector<bool>{false, true}));
    EXPECT_EQ(host_->status().state, "healthy");
}

TEST_F(BuiltInBench, ALedgerThatCannotBeReadIsTriedAgain) {
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    around_.handed = {Index(2), Index(3)};
    around_.read_error = "the disk is on fire";
    open();
    decide(3);
    run_until(loop_, [&] { return host_->status().state == "failed"; });
    EXPECT_NE(host_->status().reason.find("on fire"), std::string::npos) << host_->status().reason;
    around_.read_error.clear();
    host_->tick(raw_now_us());
    run_until_applied(3);
    EXPECT_EQ(host_->status().state, "healthy");
    EXPECT_EQ(seen_.take().size(), 3u);
}

}  // namespace
}  // namespace assent::test
