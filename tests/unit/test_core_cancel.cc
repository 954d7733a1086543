// R5 and R7: what the application says, and when the master cancels by index.
#include <gtest/gtest.h>

#include "core/opinions.h"
#include "core/verdict_reader.h"
#include "replica_bench.h"

namespace assent {
namespace {

Options attached() {
    Options o = Bench::usual_options();
    o.accept_at_once = false;
    return o;
}

// A master of three with one write, at index 3, that a majority has durable and nobody's application has answered.
struct Rejecting : testing::Test {
    Bench b{3, Bench::fresh(), {}, Index(), attached()};
    Epoch epoch;

    void SetUp() override {
        b.become_master_of_three();
        epoch = b.view().state.ballot;
        // The EPOCH entry, at 2, is stored and confirmed.
        b.hear(2, Ack{epoch, Index(2), Index(2), {}});
        write(1);
        b.sync();
        b.hear(2, Ack{epoch, Index(3), Index(2), {}});
        b.hear(3, Ack{epoch, Index(3), Index(2), {}});
        b.answers();
    }
    void write(uint64_t sequence) {
        b.give(event::Submit{Token(sequence), ClientId{Index(0), 11}, sequence, 1, "x"});
        b.give(event::Flush{});
    }
    void reject_here(uint64_t index) { b.give(event::Opinions{{}, {{Index(index), "no room"}}}); }
    void reject_on(uint32_t node, uint64_t index) {
        b.hear(node, Ack{epoch, Index(index), prior(Index(index)), {{Index(index), "full"}}});
    }
};

TEST_F(Rejecting, OneOfThreeDoesNotStandInTheWay) {
    reject_here(3);
    b.sync();
    EXPECT_EQ(b.view().last.index, Index(3));
    b.hear(2, Ack{epoch, Index(3), Index(3), {}});
    b.hear(3, Ack{epoch, Index(3), Index(3), {}});
    ASSERT_EQ(b.view().confirmed, Index(3));
    EXPECT_EQ(b.answers().at(0).kind, AnswerKind::confirmed);
}

TEST_F(Rejecting, AMajorityThatRejectsHasItCancelled) {
    reject_here(3);
    reject_on(2, 3);
    ASSERT_EQ(b.view().last.index, Index(4));
    EXPECT_TRUE(b.answers().empty()) << "the CANCEL is not stored yet";
    b.sync();
    EXPECT_TRUE(b.answers().empty());
    b.hear(3, Ack{epoch, Index(4), Index(2), {}});
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].kind, AnswerKind::cancelled);
    EXPECT_EQ(answers[0].index, Index(4));
    EXPECT_EQ(answers[0].reason, "node 1: no room");
    auto verdicts = b.verdicts();
    ASSERT_GE(verdicts.size(), 2u);
    EXPECT_EQ(verdicts[verdicts.size() - 2].entry->index, Index(3));
    EXPECT_TRUE(verdicts[verdicts.size() - 2].cancel);
    EXPECT_FALSE(verdicts.back().cancel) << "the CANCEL itself is confirmed";
}

TEST_F(Rejecting, WhatIsCancelledIsNeverConfirmedWhoeverAcceptsItLater) {
    reject_here(3);
    reject_on(2, 3);
    b.sync();
    b.hear(2, Ack{epoch, Index(3), Index(3), {}});
    b.hear(3, Ack{epoch, Index(3), Index(3), {}});
    EXPECT_EQ(b.view().confirmed, Index(2)) << "its CANCEL is in the ledger, and not stored";
    b.hear(3, Ack{epoch, Index(4), Index(4), {}});
    EXPECT_EQ(b.answers().at(0).kind, AnswerKind::cancelled);
}

TEST_F(Rejecting, LaterWritesGoOn) {
    write(2);
    b.sync();
    reject_here(3);
    reject_on(2, 3);
    b.sync();
    b.give(event::Opinions{{Index(4)}, {}});
    b.hear(2, Ack{epoch, Index(5), Index(5), {}});
    EXPECT_EQ(b.view().confirmed, Index(3));
    b.give(event::Applied{Index(3)});  // the application here was told, and goes on
    b.sync();
    EXPECT_EQ(b.view().confirmed, Index(5));
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0].kind, AnswerKind::cancelled);
    EXPECT_EQ(answers[1].kind, AnswerKind::confirmed);
}

TEST_F(Rejecting, ARejectionWithoutTheEntryDurableProvesNothing) {
    reject_here(3);
    b.hear(2, Ack{epoch, Index(2), Index(2), {{Index(3), "full"}}});
    EXPECT_EQ(b.view().last.index, Index(4)) << "two acks before said it was durable there";
    write(2);  // at 5
    b.sync();
    b.hear(2, Ack{epoch, Index(4), Index(2), {{Index(5), "full"}}});
    b.hear(3, Ack{epoch, Index(4), Index(2), {{Index(5), "full"}}});
    EXPECT_EQ(b.view().last.index, Index(5)) << "neither has it durable";
}

TEST_F(Rejecting, WhatIsRejectedIsOfferedAgain) {
    reject_here(3);
    b.prepared();
    b.sleep(Bench::usual_options().master_timeout_us * 9 / 10);
    EXPECT_TRUE(b.prepared().empty());
    b.sleep(Bench::usual_options().master_timeout_us / 5);
    auto again = b.prepared();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0]->index, Index(3));
}

TEST(Opinion, AnAcceptStandsAndARejectionDoesNot) {
    Opinions o;
    o.reject({Index(5), "no"});
    EXPECT_EQ(o.rejected().size(), 1u);
    o.accept(Index(5));
    EXPECT_TRUE(o.rejected().empty());
    o.reject({Index(5), "no"});
    EXPECT_TRUE(o.accepted(Index(5)));
    EXPECT_TRUE(o.rejected().empty());
    o.cut(Index(5));
    EXPECT_FALSE(o.accepted(Index(5)));
}

EntryPtr entry(uint64_t index, VerdictPair announced = {}, uint64_t cancels = 0) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(1);
    e->announced = announced;
    if (cancels) e->kind = EntryKind::cancel, e->cancel.index = Index(cancels);
    return e;
}

TEST(VerdictReader, AnEntryTellsWhatItsMasterHadAnnounced) {
    VerdictReader r{Index()};
    r.add(entry(1));
    r.add(entry(2));
    r.add(entry(3, {}, 2));
    EXPECT_TRUE(r.take().empty());
    r.add(entry(4, {Index(2), Index(3)}));
    auto verdicts = r.take();
    ASSERT_EQ(verdicts.size(), 2u);
    EXPECT_FALSE(verdicts[0].cancel);
    ASSERT_TRUE(verdicts[1].cancel);
    EXPECT_EQ(verdicts[1].cancel->index, Index(3));
    EXPECT_EQ(r.decided(), Index(2));
    EXPECT_EQ(r.undecided().size(), 2u);
}

TEST(VerdictReader, ACancelAboveTheStoredIndexDoesNotCount) {
    VerdictReader r{Index()};
    r.add(entry(1));
    r.add(entry(2, {}, 1));
    r.announce({Index(1), Index(1)});
    auto verdicts = r.take();
    ASSERT_EQ(verdicts.size(), 1u);
    EXPECT_FALSE(verdicts[0].cancel);
}

TEST(VerdictReader, APairWaitsForItsStoredIndex) {
    VerdictReader r{Index(1)};
    r.add(entry(1));
    r.add(entry(2));
    r.announce({Index(2), Index(3)});
    EXPECT_TRUE(r.take().empty());
    r.add(entry(3, {}, 2));
    auto verdicts = r.take();
    ASSERT_EQ(verdicts.size(), 1u);
    EXPECT_TRUE(verdicts[0].cancel);
}

}  // namespace
}  // namespace assent
