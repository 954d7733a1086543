// An attached application and its group in the ordinary way: asked, told, given what it missed, and its answers.
#include "attached_support.h"

namespace assent::test {
namespace {

// ---- the ordinary way

TEST_F(AttachedBench, PrepareAcceptConfirmApplied) {
    Played& app = attach(0);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{0}));
    append(write_at(1, "a"));
    prepare({around_.ledger[0]});
    EXPECT_EQ(app.take(), (Words{"prepare 1"}));
    accept(app, 1);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{1}));
    decide(1);
    EXPECT_EQ(app.take(), (Words{"confirm 1 a"}));
    EXPECT_EQ(applied_.value, 0u);
    applied(app, 1, 0, "result");
    EXPECT_EQ(applied_.value, 1u);
    ASSERT_EQ(results_.size(), 1u);
    EXPECT_EQ(results_[0].result, "result");
    EXPECT_EQ(host_->status().durable.value, 0u);
    applied(app, 1, 1);
    EXPECT_EQ(host_->status().durable.value, 1u);
}

TEST_F(AttachedBench, EntriesThatAreNoWritesOnlyMoveThePlace) {
    append(other_at(1));
    append(write_at(2));
    append(other_at(3));
    Played& app = attach(0);
    decide(3);
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2"}));
    EXPECT_EQ(applied_.value, 1u);
    applied(app, 2, 2);
    EXPECT_EQ(applied_.value, 3u);
}

TEST_F(AttachedBench, CancelOwesNothing) {
    append(write_at(1));
    append(cancel_at(2, 1, "node 1: no"));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    reject(app, 1, "no");
    ASSERT_EQ(rejected_.size(), 1u);
    EXPECT_EQ(rejected_[0].reason, "no");
    decide(2);
    EXPECT_EQ(app.take(), (Words{"cancel 1 node 1: no"}));
    EXPECT_EQ(applied_.value, 2u);
}

TEST_F(AttachedBench, WhatWasRejectedIsAskedAgain) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    prepare({around_.ledger[0]});
    EXPECT_EQ(app.take(), Words{}) << "it has not answered yet";
    reject(app, 1, "no");
    prepare({around_.ledger[0]});
    EXPECT_EQ(app.take(), (Words{"prepare 1"}));
    accept(app, 1);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{1}));
}

TEST_F(AttachedBench, AnAnswerToWhatWasWithdrawnIsIgnored) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    const uint64_t old = app.asks[1];
    host_->withdraw(Index(1));
    prepare({write_at(1, "other", 2)});
    EXPECT_EQ(app.take(), (Words{"withdraw 1", "prepare 1"}));
    accept(app, 1, old);
    EXPECT_TRUE(accepted_.empty());
    EXPECT_EQ(app.detached, "");
    accept(app, 1);
    EXPECT_EQ(accepted_.size(), 1u);
}

TEST_F(AttachedBench, AnAcceptThatWasNotToldYetIsWithdrawnToo) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    host_->received(app.session, accepting(app, 1));
    host_->withdraw(Index(1));
    host_->flush();
    EXPECT_TRUE(accepted_.empty());
}

// ---- flow control

TEST_F(AttachedBench, StrictlyOneAtATime) {
    pb::Attach a = store(0);
    a.set_max_pending(1);
    Played& app = attach(a);
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    prepare(around_.ledger);
    EXPECT_EQ(app.take(), (Words{"prepare 1"}));
    accept(app, 1);
    EXPECT_EQ(app.take(), Words{});
    decide(1);
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1"}));
    applied(app, 1, 1);
    EXPECT_EQ(app.take(), (Words{"prepare 2"}));
}

TEST_F(AttachedBench, VerdictsWithoutAppliedAreBounded) {
    options_.session.window_entries = 3;
    open();
    for (uint64_t i = 1; i <= 9; ++i) append(write_at(i));
    Played& app = attach(0);
    decide(9);
    EXPECT_EQ(app.take().size(), 3u);
    applied(app, 2, 2);
    EXPECT_EQ(app.take(), (Words{"confirm 4 write 4", "confirm 5 write 5"}));
}

TEST_F(AttachedBench, NothingIsAddedForOneThatDoesNotRead) {
    for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    Played& app = attach(0);
    app.take();
    app.waiting = 64u << 20;
    prepare({around_.ledger[2], around_.ledger[3]});
    decide(2);
    host_->query(Token(7), Index(0), "q");
    host_->flush();
    EXPECT_EQ(app.take(), Words{});
    app.waiting = 0;
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "prepare 3", "prepare 4", "query 1 q"}));
}

TEST_F(AttachedBench, IsAskedOnlyWhenItHasAllVerdicts) {
    options_.session.window_entries = 1;
    open();
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    Played& app = attach(0);
    prepare({around_.ledger[2]});
    app.take();
    host_->withdraw(Index(3));
    app.take();
    decide(2);
    prepare({around_.ledger[2]});
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1"}));
    applied(app, 1, 1);
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2", "prepare 3"}));
}

// ---- redelivery

TEST_F(AttachedBench, GetsWhatItMissedFromItsOwnDurableIndexOn) {
    for (uint64_t i = 1; i <= 6; ++i) append(write_at(i));
    append(cancel_at(7, 5, "no"));
    Played& before = attach(0);
    decide(4);
    before.take();
    applied(before, 3, 2);
    die(before);
    EXPECT_FALSE(healthy_);
    EXPECT_EQ(host_->status().state, "absent");
    decide(7);
    Played& after = attach(2, 101);
    EXPECT_TRUE(healthy_);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{0, 2}));
    EXPECT_EQ(after.take(), (Words{"confirm 3 write 3", "confirm 4 write 4", "cancel 5 no", "confirm 6 write 6"}));
    applied(after, 6, 6);
    EXPECT_EQ(applied_.value, 7u);
}

TEST_F(AttachedBench, FromTheLedgerAfterTheDaemonWasStartedAgain) {
    for (uint64_t i = 1; i <= 5; ++i) append(write_at(i));
    append(cancel_at(6, 2, "no"));
    around_.handed = {Index(5), Index(6)};
    open();
    Played& app = attach(1);
    EXPECT_EQ(host_->status().state, "behind");
    around_.run_posted();
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"cancel 2 no", "confirm 3 write 3", "confirm 4 write 4", "confirm 5 write 5"}));
    EXPECT_EQ(host_->status().state, "healthy");
}

TEST_F(AttachedBench, WhatIsNotDecidedIsAskedAfterAllVerdicts) {
    for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    around_.handed = {Index(3), Index(3)};
    open();
    Played& app = attach(0);
    prepare({around_.ledger[3]});
    EXPECT_EQ(app.take(), Words{});
    around_.run_posted();
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "confirm 3 write 3", "prepare 4"}));
}

// The daemon was started again; the application lived on, and knows more of what is confirmed than the core.
TEST_F(AttachedBench, HasAppliedMoreThanTheCoreKnowsIsDecided) {
    for (uint64_t i = 1; i <= 5; ++i) append(write_at(i));
    around_.handed = {Index(2), Index(2)};
    open();
    Played& app = attach(4);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{2}));
    prepare({around_.ledger[2], around_.ledger[3], around_.ledger[4]});
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{3, 4})) << "it has applied them";
    EXPECT_EQ(app.take(), (Words{"prepare 5"})) << "it has all that is below";
    decide(4);
    EXPECT_EQ(applied_.value, 4u);
    EXPECT_EQ(app.take(), Words{}) << "it has had those";
    decide(5);
    EXPECT_EQ(app.take(), (Words{"confirm 5 write 5"}));
}

// ---- questions

TEST_F(AttachedBench, AQueryWaitsForItsState) {
    append(write_at(1));
    Played& app = attach(0);
    decide(1);
    host_->query(Token(5), Index(1), "how many");
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1"}));
    applied(app, 1, 1);
    EXPECT_EQ(app.take(), (Words{"query 1 how many"}));
    answer(app, 1, "three");
    EXPECT_EQ(answers_[5], "three");
}

TEST_F(AttachedBench, AQueryIsAskedAgainOfTheNextOne) {
    Played& app = attach(0);
    host_->query(Token(5), Index(), "q");
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"query 1 q"}));
    die(app);
    Played& after = attach(0, 101);
    EXPECT_EQ(after.take(), (Words{"query 1 q"}));
    answer(after, 1, "a");
    EXPECT_EQ(answers_[5], "a");
}

TEST_F(AttachedBench, AForgottenQueryIsNotAnswered) {
    Played& app = attach(0);
    host_->query(Token(5), Index(), "q");
    host_->flush();
    app.take();
    host_->forget(Token(5));
    answer(app, 1, "a");
    EXPECT_TRUE(answers_.empty());
    EXPECT_EQ(app.detached, "");
}

TEST_F(AttachedBench, ResultsAreKeptForRepeatedRequests) {
    options_.results = 2;
    open();
    for (uint64_t i = 1; i <= 5; ++i) append(write_at(i));
    Played& app = attach(0);
    decide(4);
    applied(app, 1, 1, "one");
    applied(app, 2, 1, "two");
    applied(app, 4, 1, "four");
    for (uint64_t i = 1; i <= 5; ++i) host_->result_of(Token(i), Index(i));
    host_->flush();
    EXPECT_EQ(answers_[1].substr(0, 6), "error:") << "too old";
    EXPECT_EQ(answers_[2], "two");
    EXPECT_EQ(answers_[3], "");
    EXPECT_EQ(answers_[4], "four");
    EXPECT_EQ(answers_[5].substr(0, 6), "error:") << "not applied yet";
}

TEST_F(AttachedBench, MoreIsDurableIsNoOtherResult) {
    for (uint64_t i = 1; i <= 2; ++i) append(write_at(i));
    Played& app = attach(0);
    decide(1);
    applied(app, 1, 0, "one");
    applied(app, 1, 1);
    decide(2);
    pb::FromApplication first, second;
    first.mutable_applied()->set_index(2);
    first.mutable_applied()->set_durable(1);
    first.mutable_applied()->set_result("two");
    second.mutable_applied()->set_index(2);
    second.mutable_applied()->set_durable(2);
    host_->received(app.session, first);
    host_->received(app.session, second);
    host_->flush();
    ASSERT_EQ(results_.size(), 2u);
    EXPECT_EQ(results_[0].result, "one");
    EXPECT_EQ(results_[1].result, "two");
    for (uint64_t i = 1; i <= 2; ++i) host_->result_of(Token(i), Index(i));
    host_->flush();
    EXPECT_EQ(answers_[1], "one");
    EXPECT_EQ(answers_[2], "two");
    EXPECT_EQ(host_->status().durable, Index(2));
}

TEST_F(AttachedBench, AResultThatDiedWithItsApplicationIsNotKnown) {
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    Played& app = attach(0);
    decide(2);
    applied(app, 1, 1, "one");
    die(app);
    told_upto_ = Index();
    Played& next = attach(2);
    EXPECT_EQ(told_upto_, Index(2)) << "who waits for index 2 hears of it";
    decide(3);
    applied(next, 3, 3, "three");
    for (uint64_t i = 1; i <= 3; ++i) host_->result_of(Token(i), Index(i));
    host_->flush();
    EXPECT_EQ(answers_[1], "one");
    EXPECT_EQ(answers_[2].substr(0, 6), "error:");
    EXPECT_EQ(answers_[3], "three");
}

TEST_F(AttachedBench, WritesAreBounded) {
    EXPECT_TRUE(host_->check_write(std::string(options_.max_write_bytes, 'x')));
    EXPECT_FALSE(host_->check_write(std::string(options_.max_write_bytes + 1, 'x')));
}

}  // namespace
}  // namespace assent::test
