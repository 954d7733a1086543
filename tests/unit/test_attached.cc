// An attached application and its group: what the daemon does with one that is slow, silent, wrong or gone.
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
    pb::FromApplication m;
    m.mutable_accept()->set_index(1);
    m.mutable_accept()->set_ask(app.asks[1]);
    host_->received(app.session, m);
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

// ---- who may attach

TEST_F(AttachedBench, WrongUser) {
    options_.user = "nobody";
    open();
    pb::AttachReply reply = try_attach(store(0), peer(100, 4711));
    EXPECT_EQ(reply.code(), pb::NOT_PERMITTED);
    EXPECT_NE(reply.reason().find("nobody"), std::string::npos);
    EXPECT_EQ(try_attach(store(0), peer(100, 65534)).code(), pb::DONE);
}

TEST_F(AttachedBench, WithoutAUserTheDaemonsOwn) {
    EXPECT_EQ(try_attach(store(0), peer(100, ::geteuid() + 1)).code(), pb::NOT_PERMITTED);
    EXPECT_EQ(try_attach(store(0), peer(100, ::geteuid())).code(), pb::DONE);
}

TEST_F(AttachedBench, WrongStores) {
    durable_ = Index(10);
    EXPECT_EQ(try_attach(store(5, {7, 7}), peer(1)).code(), pb::BAD_CONFIGURATION) << "another cluster's";
    EXPECT_EQ(try_attach(store(5, {0, 0}), peer(1)).code(), pb::BAD_CONFIGURATION) << "no cluster's";
    EXPECT_EQ(try_attach(store(11), peer(1)).code(), pb::BUSY) << "ahead of the ledger";
    pb::Attach odd = store(5);
    odd.set_durable(6);
    EXPECT_EQ(try_attach(odd, peer(1)).code(), pb::BAD_REQUEST);
    first_ = Index(8);
    EXPECT_EQ(try_attach(store(6), peer(1)).code(), pb::BAD_CONFIGURATION) << "older than the ledger begins";
    EXPECT_EQ(try_attach(store(7), peer(1)).code(), pb::DONE);
}

TEST_F(AttachedBench, ANodeWithoutACluster) {
    cluster_ = {};
    EXPECT_EQ(try_attach(store(5), peer(1)).code(), pb::BUSY);
    Played& app = attach(0);
    EXPECT_EQ(app.take(), Words{});
    cluster_ = {1, 2};
    append(write_at(1));
    decide(1);
    EXPECT_EQ(app.take(), (Words{"joined", "confirm 1 write 1"}));
}

TEST_F(AttachedBench, ASecondOneIsRefusedUnlessTheFirstHangs) {
    Played& first = attach(0, 100);
    EXPECT_EQ(try_attach(store(0), peer(200)).code(), pb::BUSY);
    host_->tick(now_ += kHungUs);  // pings
    host_->tick(now_ += kHungUs);
    EXPECT_EQ(host_->status().state, "hung");
    EXPECT_FALSE(healthy_);
    Played& second = attach(0, 200);
    EXPECT_EQ(first.detach_code, pb::OTHER_ERROR);
    EXPECT_TRUE(healthy_);
    append(write_at(1));
    decide(1);
    EXPECT_EQ(second.take(), (Words{"confirm 1 write 1"}));
    EXPECT_EQ(first.take(), Words{});
    applied(first, 1, 1);  // still on its way: nobody listens
    EXPECT_EQ(applied_.value, 0u);
}

TEST_F(AttachedBench, TheSameProcessReplacesItself) {
    Played& first = attach(0, 100);
    attach(0, 100);
    EXPECT_NE(first.detached, "");
}

// ---- wrong answers

TEST_F(AttachedBench, AnswersTwice) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    accept(app, 1);
    accept(app, 1);
    reject(app, 1, "changed my mind");
    EXPECT_EQ(accepted_.size(), 1u);
    EXPECT_TRUE(rejected_.empty()) << "an accept stands";
    decide(1);
    applied(app, 1, 1, "first");
    applied(app, 1, 1, "second");
    applied(app, 0, 0);
    EXPECT_EQ(applied_.value, 1u);
    ASSERT_EQ(results_.size(), 1u);
    EXPECT_EQ(results_[0].result, "first");
    accept(app, 1);  // decided long ago
    EXPECT_EQ(app.detached, "");
}

TEST_F(AttachedBench, RejectsThenAccepts) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    reject(app, 1, "no");
    accept(app, 1);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{1}));
}

TEST_F(AttachedBench, BreaksTheProtocol) {
    append(write_at(1));
    append(write_at(2));
    struct Case {
        const char* what;
        std::function<void(Played&)> wrong;
    };
    const std::vector<Case> cases = {
        {"never asked", [this](Played& app) { accept(app, 9, 77); }},
        {"ask 0", [this](Played& app) { accept(app, 1, 1'000'000); }},
        {"another index", [this](Played& app) { accept(app, 2, app.asks[1]); }},
        {"applied too much", [this](Played& app) { applied(app, 1, 0); }},
        {"durable above applied", [this](Played& app) { applied(app, 0, 1); }},
        {"a query that was not made", [this](Played& app) { answer(app, 1, "x"); }},
        {"a ping that was not sent", [this](Played& app) { pong(app, 5); }},
        {"nothing", [this](Played& app) { say(app, {}); }},
    };
    for (const Case& c : cases) {
        Played& app = attach(0, 300);
        prepare({around_.ledger[0]});
        app.take();
        c.wrong(app);
        EXPECT_EQ(app.detach_code, pb::BAD_REQUEST) << c.what;
        EXPECT_NE(app.detached, "") << c.what;
        EXPECT_EQ(host_->status().state, "absent") << c.what;
    }
    EXPECT_TRUE(accepted_.empty());
    // What it had in hand comes again.
    Played& app = attach(0, 301);
    prepare({around_.ledger[0]});
    EXPECT_EQ(app.take(), (Words{"prepare 1"}));
}

// ---- dying

TEST_F(AttachedBench, DiesThreeTimesWithTheSameEntryInHand) {
    for (uint64_t i = 1; i <= 3; ++i) append(write_at(i));
    for (int life = 1; life <= 3; ++life) {
        EXPECT_TRUE(rejected_.empty());
        Played& app = attach(0, 100 + life);
        prepare(around_.ledger);
        const Words asked = app.take();
        if (life == 1) {
            EXPECT_EQ(asked, (Words{"prepare 1", "prepare 2", "prepare 3"}));
            accept(app, 1);
        } else {
            EXPECT_EQ(asked, (Words{"prepare 1"})) << "one at a time, to see which it is";
            accept(app, 1);
            EXPECT_EQ(app.take(), (Words{"prepare 2"}));
        }
        die(app);
    }
    Played& app = attach(0, 104);
    prepare(around_.ledger);
    ASSERT_EQ(rejected_.size(), 1u);
    EXPECT_EQ(rejected_[0].index.value, 2u);
    EXPECT_NE(rejected_[0].reason.find("died 3 times"), std::string::npos);
    EXPECT_EQ(app.take(), (Words{"prepare 1"}));
    accept(app, 1);
    EXPECT_EQ(app.take(), (Words{"prepare 3"}));
    EXPECT_NE(host_->status().reason.find("index 2"), std::string::npos);
}

TEST_F(AttachedBench, DyingWithAConfirmInHandIsNoReject) {
    append(write_at(1));
    append(write_at(2));
    decide(1);
    for (int life = 1; life <= 4; ++life) {
        Played& app = attach(0, 100 + life);
        prepare({around_.ledger[1]});
        const Words got = app.take();
        ASSERT_FALSE(got.empty());
        EXPECT_EQ(got[0], "confirm 1 write 1");
        die(app);
    }
    EXPECT_TRUE(rejected_.empty());
    EXPECT_NE(host_->status().reason.find("died 4 times with the confirmed write at index 1"), std::string::npos);
}

TEST_F(AttachedBench, LeavingInGoodOrderIsNoDeath) {
    append(write_at(1));
    for (int life = 1; life <= 4; ++life) {
        Played& app = attach(0, 100 + life);
        prepare({around_.ledger[0]});
        app.take();
        pb::FromApplication m;
        m.mutable_detach()->set_reason("maintenance");
        say(app, m);
    }
    EXPECT_TRUE(rejected_.empty());
}

TEST_F(AttachedBench, AnAcceptThatWasSaidBeforeItDiedCounts) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    pb::FromApplication m;
    m.mutable_accept()->set_index(1);
    m.mutable_accept()->set_ask(app.asks[1]);
    host_->received(app.session, m);
    host_->closed(app.session);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{1}));
}

// ---- is it well?

TEST_F(AttachedBench, Slow) {
    append(write_at(1));
    Played& app = attach(0);
    prepare({around_.ledger[0]});
    app.take();
    for (int i = 0; i < 8; ++i) {
        host_->tick(now_ += kHungUs / 4);
        for (const pb::ToApplication& m : std::exchange(app.messages, {})) {
            if (m.has_ping()) pong(app, m.ping().id());
        }
    }
    EXPECT_EQ(host_->status().state, "slow");
    EXPECT_FALSE(healthy_);
    accept(app, 1);
    host_->tick(now_ += 1);
    EXPECT_TRUE(healthy_);
    EXPECT_EQ(host_->status().state, "healthy");
    host_->tick(now_ += kHungUs / 4);
    EXPECT_TRUE(healthy_) << "waiting for a verdict is no work";
}

TEST_F(AttachedBench, SilentThoughItHasNothingToDo) {
    Played& app = attach(0);
    host_->tick(now_ += kHungUs);
    host_->tick(now_ += kHungUs);
    EXPECT_EQ(host_->status().state, "hung");
    EXPECT_FALSE(healthy_);
    pong(app, 1);
    host_->tick(now_ += 1);
    EXPECT_TRUE(healthy_);
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

// ---- digests, and an application that has diverged

class DigestsAreWanted : public AttachedBench {
  protected:
    void SetUp() override {
        options_.session.digest_every = 2;
        AttachedBench::SetUp();
        for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    }
    static pb::Attach understands(uint64_t applied) {
        pb::Attach a = store(applied);
        a.set_digests(true);
        return a;
    }
};

TEST_F(DigestsAreWanted, BetweenTheVerdictAndTheNext) {
    Played& app = attach(understands(0));
    decide(4);
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "digest 2", "confirm 3 write 3",
                                 "confirm 4 write 4", "digest 4"}));
    digest(app, 2, 0xabc);
    EXPECT_EQ(digests_, (std::map<uint64_t, uint64_t>{{2, 0xabc}}));
    digest(app, 2, 0xabc);  // once more: ignored
    EXPECT_EQ(app.detached, "");
    digest(app, 3, 0xabc);
    EXPECT_NE(app.detached, "") << "it was not asked for that";
}

TEST_F(DigestsAreWanted, NotFromOneThatDoesNotUnderstand) {
    Played& app = attach(0);
    decide(4);
    EXPECT_EQ(app.take().size(), 4u);
}

// A library that has none to say at the moment is not slow for that.
TEST_F(DigestsAreWanted, NobodyWaitsForThem) {
    options_.session.digests = 1;
    open();
    Played& app = attach(understands(0));
    decide(4);
    applied(app, 4, 4);
    now_ += 2 * kHungUs;
    EXPECT_EQ(host_->status().state, "healthy");
    digest(app, 2, 1);
    EXPECT_TRUE(digests_.empty()) << "too late, which is no fault";
    EXPECT_EQ(app.detached, "");
    digest(app, 4, 1);
    EXPECT_EQ(digests_.size(), 1u);
}

TEST_F(DigestsAreWanted, ADivergedOneEndsAndComesBackWithAnEmptyStoreAlone) {
    Played& app = attach(understands(0));
    EXPECT_EQ(replaced_, 1);
    decide(2);
    applied(app, 2, 2);
    host_->set_diverged("two is not three");
    EXPECT_EQ(app.detach_code, pb::BAD_CONFIGURATION);
    EXPECT_NE(app.detached.find("two is not three"), std::string::npos);
    EXPECT_FALSE(healthy_);
    EXPECT_EQ(host_->status().state, "diverged");
    prepare({around_.ledger[2]});
    EXPECT_TRUE(accepted_.empty());
    const pb::AttachReply refused = try_attach(understands(2), peer(101));
    EXPECT_EQ(refused.code(), pb::BAD_CONFIGURATION);
    EXPECT_NE(refused.reason().find("two is not three"), std::string::npos) << refused.reason();
    EXPECT_EQ(replaced_, 1);
    Played& empty = attach(understands(0), 102);
    EXPECT_EQ(empty.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "digest 2"}));
    EXPECT_EQ(replaced_, 2);
    EXPECT_TRUE(healthy_);
    EXPECT_NE(host_->status().state, "diverged");
}

// ---- snapshots

class SnapshotsOnTheirWay : public AttachedBench {
  protected:
    static constexpr uint64_t kClient = 50;
    attached::Snapshots::Client client_{kClient, 7, 1'000'000'000};

    void SetUp() override {
        AttachedBench::SetUp();
        for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    }
    static pb::Attach understands(uint64_t applied) {
        pb::Attach a = store(applied);
        a.set_snapshots(true);
        return a;
    }
    Played& attached_and_applied(uint64_t upto) {
        Played& app = attach(understands(0));
        decide(upto);
        applied(app, upto, upto);
        app.take();
        return app;
    }
    void chunk(const Played& app, uint64_t id, uint64_t offset, const std::string& data) {
        pb::FromApplication m;
        m.mutable_snapshot_chunk()->set_id(id);
        m.mutable_snapshot_chunk()->set_offset(offset);
        m.mutable_snapshot_chunk()->set_data(data);
        say(app, m);
    }
    void end(const Played& app, uint64_t id, uint64_t index, uint64_t bytes, pb::Code code = pb::DONE) {
        pb::FromApplication m;
        m.mutable_snapshot_end()->set_id(id);
        m.mutable_snapshot_end()->set_code(code);
        m.mutable_snapshot_end()->set_index(index);
        m.mutable_snapshot_end()->set_bytes(bytes);
        say(app, m);
    }
    void loaded(const Played& app, uint64_t id, pb::Code code = pb::DONE) {
        pb::FromApplication m;
        m.mutable_snapshot_loaded()->set_id(id);
        m.mutable_snapshot_loaded()->set_code(code);
        say(app, m);
    }
    void send_chunk(uint64_t offset, const std::string& data) {
        pb::ClientFrame f;
        f.mutable_snapshot_chunk()->set_id(7);
        f.mutable_snapshot_chunk()->set_offset(offset);
        f.mutable_snapshot_chunk()->set_data(data);
        host_->from_client(kClient, f);
        host_->flush();
    }
    void restore(uint64_t index, uint64_t bytes, const ClusterId& cluster = {1, 2}) {
        host_->restore_snapshot(client_, {Index(index), bytes, cluster});
        host_->flush();
    }
    pb::Code code() const { return replies_.empty() ? pb::DONE : replies_.back().code(); }
};

TEST_F(SnapshotsOnTheirWay, Saved) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    EXPECT_EQ(app.take(), (Words{"save 1"}));
    chunk(app, 1, 0, "abc");
    chunk(app, 1, 3, "de");
    ASSERT_EQ(to_client_.size(), 2u);
    EXPECT_EQ(to_client_[1].snapshot_chunk().data(), "de");
    EXPECT_EQ(to_client_[1].snapshot_chunk().id(), 7u) << "the client's own number";
    pb::ClientFrame taken;
    taken.mutable_snapshot_taken()->set_id(7);
    taken.mutable_snapshot_taken()->set_bytes(5);
    host_->from_client(kClient, taken);
    EXPECT_EQ(app.take(), (Words{"taken 5"}));
    EXPECT_TRUE(replies_.empty());
    end(app, 1, 3, 5);
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(code(), pb::DONE);
    EXPECT_EQ(replies_[0].index(), 3u);
}

TEST_F(SnapshotsOnTheirWay, WhoSavesGoesAway) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    host_->save_snapshot({kClient + 1, 1, 1'000'000'000});
    EXPECT_EQ(code(), pb::BUSY) << "one at a time";
    host_->client_gone(kClient);
    EXPECT_EQ(app.take(), (Words{"save 1", "abort"}));
    chunk(app, 1, 0, "late");
    EXPECT_EQ(app.detached, "");
    EXPECT_TRUE(to_client_.empty());
    host_->save_snapshot({kClient + 1, 1, 1'000'000'000});
    die(app);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
    host_->save_snapshot(client_);
    EXPECT_EQ(code(), pb::BUSY) << "nobody is there";
}

TEST_F(SnapshotsOnTheirWay, MoreThanTheWindowBreaksTheProtocol) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    const std::string piece(attached::Snapshots::kChunkBytes, 'x');
    for (uint64_t n = 0; n < 4; ++n) chunk(app, 1, n * piece.size(), piece);
    EXPECT_EQ(app.detached, "");
    chunk(app, 1, 4 * piece.size(), "x");
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
}

TEST_F(SnapshotsOnTheirWay, TheEndMustFit) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    end(app, 1, 4, 0);
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST) << "it was not given index 4";
    EXPECT_EQ(code(), pb::OTHER_ERROR);
}

TEST_F(SnapshotsOnTheirWay, RestoredAndGoneOnFromThere) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    EXPECT_EQ(app.take(), (Words{"load 1"}));
    ASSERT_EQ(to_client_.size(), 1u);
    EXPECT_TRUE(to_client_[0].has_snapshot_taken()) << "it may begin";
    decide(4);
    EXPECT_EQ(app.take(), Words{}) << "no verdict in between";
    EXPECT_EQ(host_->status().state, "loading");
    send_chunk(0, "abc");
    send_chunk(3, "de");
    EXPECT_EQ(app.take(), (Words{"chunk abc", "chunk de", "end 0"}));
    loaded(app, 1);
    EXPECT_EQ(code(), pb::DONE);
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{0, 1})) << "for the core it is a new one";
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2", "confirm 3 write 3", "confirm 4 write 4"}));
    applied(app, 4, 4);
    EXPECT_EQ(applied_.value, 4u);
}

TEST_F(SnapshotsOnTheirWay, WaitsForWhatIsInHand) {
    Played& app = attach(understands(0));
    decide(2);
    prepare({around_.ledger[2]});
    app.take();
    const uint64_t old = app.asks[3];
    restore(1, 0);
    EXPECT_EQ(app.take(), (Words{"withdraw 3"})) << "it has not applied what was confirmed";
    accept(app, 3, old);
    EXPECT_TRUE(accepted_.empty());
    applied(app, 2, 2);
    EXPECT_EQ(app.take(), (Words{"load 1", "end 0"}));
    loaded(app, 1);
    prepare({around_.ledger[2]});
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2", "prepare 3"}));
    accept(app, 3, old);
    EXPECT_TRUE(accepted_.empty()) << "an answer to the old question";
    accept(app, 3);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{3}));
}

TEST_F(SnapshotsOnTheirWay, WhoRestoresGoesAwayInTheMiddle) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(0, "abc");
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"load 1", "chunk abc", "end 1"}));
    decide(4);
    EXPECT_EQ(app.take(), (Words{"confirm 4 write 4"})) << "it is as it was";
}

TEST_F(SnapshotsOnTheirWay, TheApplicationGoesAwayInTheMiddle) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(0, "abc");
    die(app);
    EXPECT_EQ(code(), pb::BUSY) << "begin anew";
    Played& again = attach(understands(3), 101);
    decide(4);
    EXPECT_EQ(again.take(), (Words{"confirm 4 write 4"}));
}

TEST_F(SnapshotsOnTheirWay, TheApplicationCannotLoadIt) {
    Played& app = attached_and_applied(3);
    restore(1, 3);
    send_chunk(0, "abc");
    loaded(app, 1, pb::OTHER_ERROR);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
    EXPECT_EQ(app.detach_code, pb::BUSY) << "it says itself what it has";
}

TEST_F(SnapshotsOnTheirWay, LoadedBeforeItHasAll) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    loaded(app, 1);
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST);
    EXPECT_EQ(code(), pb::BUSY);
}

TEST_F(SnapshotsOnTheirWay, ChunksThatDoNotFit) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(1, "abc");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
    EXPECT_EQ(app.take(), (Words{"load 1", "end 1"}));
    restore(1, 5);
    send_chunk(0, "abcdef");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
}

TEST_F(SnapshotsOnTheirWay, ChunksThatComeTooEarly) {
    Played& app = attached_and_applied(3);
    const uint64_t window = attached::Snapshots::kWindowBytes;
    restore(1, 2 * window);
    send_chunk(0, std::string(window, 'x'));
    pb::FromApplication taken;
    taken.mutable_snapshot_taken()->set_id(1);
    taken.mutable_snapshot_taken()->set_bytes(100);
    say(app, taken);
    EXPECT_EQ(to_client_.back().snapshot_taken().bytes(), 100u);
    send_chunk(window, std::string(100, 'x'));
    EXPECT_TRUE(replies_.empty());
    send_chunk(window + 100, "x");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
}

// What it has whole it loads, for whomever.
TEST_F(SnapshotsOnTheirWay, WhoRestoresGoesAwayAtTheEnd) {
    Played& app = attached_and_applied(3);
    restore(2, 3);
    send_chunk(0, "abc");
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"load 2", "chunk abc", "end 0"}));
    EXPECT_EQ(host_->status().state, "loading");
    loaded(app, 1);
    EXPECT_EQ(app.take(), (Words{"confirm 3 write 3"}));
    EXPECT_TRUE(replies_.empty());
}

TEST_F(SnapshotsOnTheirWay, OfWhatDoesNotFit) {
    attached_and_applied(3);
    restore(1, 5, {3, 4});
    EXPECT_EQ(code(), pb::BAD_CONFIGURATION);
    durable_ = Index(3);
    restore(4, 5);
    EXPECT_EQ(code(), pb::BUSY);
    first_ = Index(3);
    restore(1, 5);
    EXPECT_EQ(code(), pb::BAD_CONFIGURATION);
    EXPECT_EQ(replies_.size(), 3u);
}

TEST_F(SnapshotsOnTheirWay, TimeIsOver) {
    decide(3);
    restore(1, 5);
    EXPECT_TRUE(replies_.empty()) << "it waits for an application";
    host_->tick(client_.deadline_us);
    EXPECT_EQ(code(), pb::TIMED_OUT);
    Played& app = attach(understands(3));
    EXPECT_EQ(app.take(), Words{});
    host_->save_snapshot(client_);
    host_->tick(client_.deadline_us);
    EXPECT_EQ(app.take(), (Words{"save 1", "abort"}));
    EXPECT_EQ(code(), pb::TIMED_OUT);
}

TEST_F(SnapshotsOnTheirWay, ADivergedOneIsTakenForIt) {
    Played& app = attached_and_applied(3);
    host_->set_diverged("two is not three");
    EXPECT_EQ(app.detach_code, pb::BAD_CONFIGURATION);
    EXPECT_EQ(try_attach(understands(3), peer(101)).code(), pb::BAD_CONFIGURATION);
    restore(1, 3);
    attached_.clear();
    Played& again = attach(understands(3), 102);
    EXPECT_EQ(again.take(), (Words{"load 1"}));
    EXPECT_TRUE(attached_.empty());
    EXPECT_FALSE(healthy_);
    send_chunk(0, "abc");
    loaded(again, 1);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{1}));
    EXPECT_EQ(again.take(), (Words{"chunk abc", "end 0", "confirm 2 write 2", "confirm 3 write 3"}));
    EXPECT_NE(host_->status().state, "diverged");
}

TEST_F(SnapshotsOnTheirWay, ADivergedOneDoesNotStayWithoutIt) {
    attached_and_applied(3);
    host_->set_diverged("two is not three");
    restore(1, 3);
    Played& again = attach(understands(3), 102);
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(again.detach_code, pb::BAD_CONFIGURATION);
}

}  // namespace
}  // namespace assent::test
