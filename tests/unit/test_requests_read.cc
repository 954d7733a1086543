// Reads of every level, outcomes, and moving the master.
#include "requests_support.h"

namespace assent::test {
namespace {

// ---- reads

TEST_F(RequestsTest, LocalReadNeedsNoMaster) {
    master_ = NodeId();
    submit(read(pb::LEVEL_LOCAL));
    EXPECT_TRUE(events_.empty());
    ASSERT_EQ(queries_.size(), 1u);
    EXPECT_EQ(queries_[0].second, "q");
    requests_.on_application(queries_[0].first, std::string("value"), Index(10));
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_EQ(told().result(), "value");
    EXPECT_EQ(told().index(), 10u);
    EXPECT_EQ(requests_.counters().reads_local, 1u);
}

TEST_F(RequestsTest, MalformedQueryIsABadRequest) {
    submit(read(pb::LEVEL_LOCAL));
    requests_.on_application(queries_.at(0).first, Error{"what is that"}, Index(10));
    EXPECT_EQ(told().code(), pb::BAD_REQUEST);
    EXPECT_EQ(told().reason(), "what is that");
}

TEST_F(RequestsTest, ReadAfterAnIndexWaitsForIt) {
    submit(read(pb::LEVEL_APPLIED_AFTER, 12));
    apply(Index(11));
    EXPECT_TRUE(queries_.empty());
    apply(Index(12));
    ASSERT_EQ(queries_.size(), 1u);
    requests_.on_application(queries_[0].first, std::string("value"), Index(12));
    EXPECT_EQ(told().index(), 12u);
    EXPECT_EQ(requests_.counters().reads_local, 1u);

    submit(read(pb::LEVEL_APPLIED_AFTER, 12));  // applied already
    EXPECT_EQ(queries_.size(), 2u);
}

TEST_F(RequestsTest, ReadAfterAnIndexThatNeverComes) {
    submit(read(pb::LEVEL_APPLIED_AFTER, 12));
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_TRUE(says(told(), "applied up to index 10, and 12 is waited for"));
    apply(Index(12));
    EXPECT_TRUE(queries_.empty());
}

TEST_F(RequestsTest, LocalReadOfAHangingApplicationDoesNotBlameTheMaster) {
    master_ = NodeId();
    submit(read(pb::LEVEL_LOCAL));
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_TRUE(says(told(), "application"));
}

TEST_F(RequestsTest, ManyReadsOfAnIndexThatNeverComes) {
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 2'000; ++i) submit(read(pb::LEVEL_APPLIED_AFTER, 1'000'000));
        wait(kLimitUs);
    }
    EXPECT_EQ(replies_.size(), 6'000u);
    submit(read(pb::LEVEL_APPLIED_AFTER, 1'000'000));
    apply(Index(1'000'000));
    EXPECT_EQ(queries_.size(), 1u);
}

TEST_F(RequestsTest, MasterReadGoesThroughTheCore) {
    submit(read(pb::LEVEL_MASTER));
    Token token = last_event<event::Read>().token;
    EXPECT_TRUE(queries_.empty());
    answer(token, AnswerKind::read_ready, Index(10));
    ASSERT_EQ(queries_.size(), 1u);
    requests_.on_application(queries_[0].first, std::string("value"), Index(10));
    EXPECT_EQ(told().result(), "value");
    EXPECT_EQ(requests_.counters().reads_master, 1u);
    EXPECT_EQ(requests_.counters().reads_local, 0u);
}

TEST_F(RequestsTest, MasterReadIsForwardedAndNeverUnknown) {
    master_ = NodeId(2);
    submit(read(pb::LEVEL_MASTER));
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].request().read().query(), "q");
    EXPECT_EQ(requests_.counters().reads_forwarded, 1u);
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_TRUE(says(told(), "nothing was done"));
}

TEST_F(RequestsTest, ReadsOfAClosedSessionAreDropped) {
    submit(read(pb::LEVEL_LOCAL));
    submit(read(pb::LEVEL_APPLIED_AFTER, 12));
    submit(read(pb::LEVEL_LOCAL), kSession + 1);
    submit(write());
    requests_.on_session_closed(kSession);
    EXPECT_EQ(forgotten_, (std::vector<uint64_t>{queries_.at(0).first}));
    apply(Index(12));
    ASSERT_EQ(queries_.size(), 2u);
    requests_.on_application(queries_[0].first, std::string("of nobody"), applied_);
    EXPECT_TRUE(replies_.empty());
    requests_.on_application(queries_[1].first, std::string("value"), applied_);
    EXPECT_EQ(told().result(), "value");
    EXPECT_EQ(replies_[0].first.id, kSession + 1);
    EXPECT_TRUE(requests_.busy());  // the write goes on
}

TEST_F(RequestsTest, AQuestionThatIsTooLateIsForgotten) {
    submit(read(pb::LEVEL_LOCAL));
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_EQ(forgotten_, (std::vector<uint64_t>{queries_.at(0).first}));
}

TEST_F(RequestsTest, PeersReadsSurviveASessionOfTheSameNumber) {
    submit_from(NodeId(2), 41, read(pb::LEVEL_LOCAL));
    requests_.on_session_closed(2);
    requests_.on_application(queries_.at(0).first, std::string("value"), applied_);
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].reply().result(), "value");
}

// ---- outcomes, mastership

TEST_F(RequestsTest, OutcomeConfirmed) {
    submit(outcome());
    EXPECT_EQ(last_event<event::AskOutcome>().client, kClient);
    EXPECT_EQ(last_event<event::AskOutcome>().sequence, 4u);
    answer(last_event<event::AskOutcome>().token, AnswerKind::confirmed, Index(7));
    requests_.on_application(lookups_.at(0).first, std::string("r"), applied_);
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_EQ(told().index(), 7u);
    EXPECT_EQ(told().result(), "r");
    EXPECT_EQ(told().sequence(), 4u);
    EXPECT_TRUE(requests_.take_write_latencies().empty());
}

TEST_F(RequestsTest, OutcomeConfirmedWithoutItsResult) {
    submit(outcome());
    answer(last_event<event::AskOutcome>().token, AnswerKind::confirmed, Index(7));
    requests_.on_application(lookups_.at(0).first, Error{"gone"}, applied_);
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_TRUE(says(told(), "confirmed"));
}

TEST_F(RequestsTest, OutcomeCancelled) {
    submit(outcome());
    answer(last_event<event::AskOutcome>().token, AnswerKind::cancelled, Index(7));
    EXPECT_EQ(told().code(), pb::CANCELLED);
}

TEST_F(RequestsTest, OutcomeUnknown) {
    submit(outcome());
    answer(last_event<event::AskOutcome>().token, AnswerKind::unknown);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_TRUE(says(told(), "the outcome is not known"));
}

TEST_F(RequestsTest, MasterMoves) {
    pb::Request r;
    r.mutable_move_master()->set_node(3);
    submit(r);
    EXPECT_EQ(last_event<event::MoveMaster>().target, NodeId(3));
    answer(last_event<event::MoveMaster>().token, AnswerKind::done);
    EXPECT_EQ(told().code(), pb::DONE);
    replies_.clear();
    submit(r);
    answer(last_event<event::MoveMaster>().token, AnswerKind::refused);
    EXPECT_EQ(told().code(), pb::OTHER_ERROR);
}

}  // namespace
}  // namespace assent::test
