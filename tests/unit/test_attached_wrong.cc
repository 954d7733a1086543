// What the daemon does with an attached application that may not attach, is wrong, dies, is slow or silent.
#include "attached_support.h"

namespace assent::test {
namespace {

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
    host_->received(app.session, accepting(app, 1));
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

}  // namespace
}  // namespace assent::test
