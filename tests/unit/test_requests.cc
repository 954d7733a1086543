// Requests that this node serves itself, or nobody: results, deadlines, bounds.
#include "requests_support.h"

namespace assent::test {
namespace {

// ---- served here

TEST_F(RequestsTest, WriteIsAnsweredWithItsResultOnceApplied) {
    submit(write(5, "data"));
    const auto& s = last_event<event::Submit>();
    EXPECT_EQ(s.client, kClient);
    EXPECT_EQ(s.sequence, 5u);
    EXPECT_EQ(s.first_unanswered, 1u);
    EXPECT_EQ(s.data, "data");
    answer(s.token, AnswerKind::confirmed, Index(12));
    apply(Index(11), {{Index(11), "other"}});
    EXPECT_TRUE(replies_.empty());
    now_ += 1'500;
    apply(Index(14), {{Index(12), "result"}, {Index(14), "later"}});
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_EQ(told().id(), 505u);
    EXPECT_EQ(told().index(), 12u);
    EXPECT_EQ(told().epoch(), 2u);
    EXPECT_EQ(told().result(), "result");
    EXPECT_EQ(told().client().random(), kClient.random);
    EXPECT_EQ(told().sequence(), 5u);
    EXPECT_EQ(replies_[0].first.id, kSession);
    EXPECT_FALSE(requests_.busy());
    EXPECT_EQ(requests_.take_write_latencies(), std::vector<int64_t>{1'500});
    EXPECT_TRUE(requests_.take_write_latencies().empty());
}

TEST_F(RequestsTest, ResultsFindTheirOwnWrites) {
    submit(write(1));
    Token first = last_event<event::Submit>().token;
    submit(write(2));
    Token second = last_event<event::Submit>().token;
    submit(write(3));
    Token third = last_event<event::Submit>().token;
    answer(third, AnswerKind::confirmed, Index(13));
    answer(first, AnswerKind::confirmed, Index(11));
    answer(second, AnswerKind::confirmed, Index(12));
    apply(Index(13), {{Index(11), "one"}, {Index(13), "three"}});
    ASSERT_EQ(lookups_.size(), 1u) << "one Applied stands for two";
    requests_.on_application(lookups_[0].first, std::string(), applied_);
    ASSERT_EQ(replies_.size(), 3u);
    std::map<uint64_t, std::string> results;
    for (const auto& [to, r] : replies_) results[r.sequence()] = r.result();
    EXPECT_EQ(results, (std::map<uint64_t, std::string>{{1, "one"}, {2, ""}, {3, "three"}}));
}

// The application applied it and died before it said so; the next one goes on from there.
TEST_F(RequestsTest, AResultThatNobodyHeardIsNoEmptyResult) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(11));
    apply(Index(12), {{Index(12), "of another write"}});
    ASSERT_EQ(lookups_.size(), 1u);
    EXPECT_TRUE(replies_.empty());
    requests_.on_application(lookups_[0].first, Error{"not known"}, applied_);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_EQ(told().index(), 11u);
}

TEST_F(RequestsTest, RepeatedWriteGetsTheFirstResult) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(7));  // applied long ago
    ASSERT_EQ(lookups_.size(), 1u);
    EXPECT_EQ(lookups_[0].second, Index(7));
    requests_.on_application(lookups_[0].first, std::string("first"), applied_);
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_EQ(told().result(), "first");
    EXPECT_EQ(told().index(), 7u);
}

TEST_F(RequestsTest, RepeatedWriteWhoseResultIsForgottenIsUnknown) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(7));
    requests_.on_application(lookups_.at(0).first, Error{"gone"}, applied_);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_TRUE(says(told(), "index 7"));
    EXPECT_EQ(requests_.counters().unknown, 1u);
}

TEST_F(RequestsTest, CancelledWriteSaysSo) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::cancelled, Index(12));
    EXPECT_EQ(told().code(), pb::CANCELLED);
    EXPECT_EQ(told().index(), 12u);
    EXPECT_TRUE(requests_.take_write_latencies().empty());
}

TEST_F(RequestsTest, ConfirmedButTheApplicationIsSilent) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(12));
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_EQ(told().index(), 12u);
    EXPECT_TRUE(says(told(), "confirmed at index 12"));
    apply(Index(12), {{Index(12), "late"}});
    EXPECT_EQ(replies_.size(), 1u);
}

TEST_F(RequestsTest, ConfirmedBeforeAndTheLookupIsSilent) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(7));
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_TRUE(says(told(), "confirmed at index 7"));
    requests_.on_application(lookups_.at(0).first, std::string("late"), applied_);
    EXPECT_EQ(replies_.size(), 1u);
}

// ---- time over, with the core

TEST_F(RequestsTest, ExpiredInTheQueueMeansNothingWasDone) {
    submit(write());
    Token token = last_event<event::Submit>().token;
    wait(kLimitUs - 1);
    EXPECT_EQ(count<event::Forget>(), 0u);
    wait(1);
    EXPECT_EQ(last_event<event::Forget>().token, token);
    EXPECT_TRUE(replies_.empty());
    wait(Requests::kTickUs);
    EXPECT_EQ(count<event::Forget>(), 1u);
    answer(token, AnswerKind::not_master);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_TRUE(says(told(), "nothing was done"));
    EXPECT_EQ(requests_.counters().unknown, 0u);
}

TEST_F(RequestsTest, ExpiredInTheQueueOfAMasterWithoutMajority) {
    view_.reason = "2 of 3 applications hang";
    submit(write());
    wait(kLimitUs);
    answer(last_event<event::Forget>().token, AnswerKind::not_master);
    EXPECT_EQ(told().code(), pb::NO_MAJORITY);
    EXPECT_TRUE(says(told(), "nothing was done: 2 of 3 applications hang"));
}

TEST_F(RequestsTest, ExpiredAfterItWasProposedIsUnknown) {
    submit(write());
    wait(kLimitUs);
    answer(last_event<event::Forget>().token, AnswerKind::unknown);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_FALSE(says(told(), "nothing was done"));
    EXPECT_EQ(requests_.counters().unknown, 1u);
    EXPECT_FALSE(requests_.busy());
}

TEST_F(RequestsTest, ConfirmedWhileForgetIsOnItsWayStillEnds) {
    submit(write());
    Token token = last_event<event::Submit>().token;
    wait(kLimitUs);
    answer(token, AnswerKind::confirmed, Index(12));
    EXPECT_TRUE(replies_.empty());
    wait(Requests::kTickUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_TRUE(says(told(), "confirmed at index 12"));
    EXPECT_FALSE(requests_.busy());
}

TEST_F(RequestsTest, OwnDeadlineIsTheClients) {
    pb::Request r = write();
    r.set_deadline_ms(100);
    submit(std::move(r));
    wait(99'000);
    EXPECT_EQ(count<event::Forget>(), 0u);
    wait(1'000);
    EXPECT_EQ(count<event::Forget>(), 1u);
}

TEST_F(RequestsTest, EndlessDeadlineIsBounded) {
    pb::Request r = write();
    r.set_deadline_ms(~uint64_t{0});
    submit(std::move(r));
    wait(600'000'000);
    EXPECT_EQ(count<event::Forget>(), 1u);
}

TEST_F(RequestsTest, BusyIsToldOnTheFirstAttempt) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::busy);
    EXPECT_EQ(told().code(), pb::BUSY);
    EXPECT_TRUE(says(told(), "nothing was done"));
}

TEST_F(RequestsTest, BusyAfterAnEarlierAttemptIsTriedAgain) {
    submit(write());
    answer(last_event<event::Submit>().token, AnswerKind::unknown);  // withdrawn: another master may have it
    EXPECT_TRUE(replies_.empty());
    wait(Requests::kTickUs);
    EXPECT_EQ(count<event::Submit>(), 2u);
    answer(last_event<event::Submit>().token, AnswerKind::busy);
    EXPECT_TRUE(replies_.empty());
    wait(Requests::kTickUs);
    EXPECT_EQ(count<event::Submit>(), 3u);
    EXPECT_EQ(last_event<event::Submit>().sequence, 1u);
    EXPECT_EQ(last_event<event::Submit>().client, kClient);
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(11));
    apply(Index(11), {{Index(11), "x"}});
    EXPECT_EQ(told().code(), pb::DONE);
}

TEST_F(RequestsTest, BusyAtTheDeadlineAfterAnEarlierAttemptIsUnknown) {
    submit(write());
    Token token = last_event<event::Submit>().token;
    answer(token, AnswerKind::unknown);
    wait(kLimitUs);  // tried once more, and forgotten
    EXPECT_EQ(count<event::Submit>(), 2u);
    EXPECT_EQ(count<event::Forget>(), 1u);
    answer(token, AnswerKind::busy);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_FALSE(requests_.busy());
}

TEST_F(RequestsTest, ForgottenInTheQueueAfterAnEarlierAttemptIsUnknown) {
    submit(write());
    Token token = last_event<event::Submit>().token;
    answer(token, AnswerKind::unknown);
    wait(kLimitUs);
    answer(token, AnswerKind::not_master);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
}

// ---- no master

TEST_F(RequestsTest, NoMasterUntilTheDeadline) {
    master_ = NodeId();
    view_.reason = "no master is elected";
    submit(write());
    EXPECT_TRUE(events_.empty());
    wait(kLimitUs - 1);
    EXPECT_TRUE(replies_.empty());
    wait(1);
    EXPECT_EQ(told().code(), pb::NO_MASTER);
    EXPECT_TRUE(says(told(), "nothing was done"));
}

TEST_F(RequestsTest, NoMajorityInView) {
    master_ = NodeId();
    view_.reason = "corosync has no quorum";
    submit(write());
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::NO_MAJORITY);
    EXPECT_TRUE(says(told(), "corosync has no quorum"));
}

TEST_F(RequestsTest, WaitsForAMasterAndGoesThere) {
    master_ = NodeId();
    submit(write());
    master_becomes(kSelf);
    EXPECT_EQ(count<event::Submit>(), 1u);
    requests_.on_surroundings(now_);
    EXPECT_EQ(count<event::Submit>(), 1u);  // once
}

TEST_F(RequestsTest, RefusedHereGoesOnToTheMaster) {
    submit(write());
    Token token = last_event<event::Submit>().token;
    master_ = NodeId(2);
    answer(token, AnswerKind::not_master);
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].to, NodeId(2));
    EXPECT_EQ(sent_[0].request().sequence(), 1u);
    requests_.on_surroundings(now_);
    EXPECT_EQ(sent_.size(), 1u);
}

// ---- malformed, answered at once, bounded

TEST_F(RequestsTest, MalformedRequestsAreRefused) {
    std::vector<pb::Request> bad;
    bad.push_back(write());
    bad.back().clear_client();
    bad.push_back(write(0));
    bad.push_back(write(1, "bad"));
    bad.push_back(outcome());
    bad.back().mutable_outcome()->clear_client();
    bad.push_back(outcome());
    bad.back().mutable_outcome()->clear_sequence();
    bad.emplace_back();
    for (pb::Request& r : bad) {
        replies_.clear();
        submit(std::move(r));
        EXPECT_EQ(told().code(), pb::BAD_REQUEST);
        EXPECT_FALSE(told().reason().empty());
    }
    EXPECT_TRUE(events_.empty());
    EXPECT_FALSE(requests_.busy());
}

TEST_F(RequestsTest, AnsweredAtOnceWithoutAMaster) {
    master_ = NodeId();
    pb::Request status, members, identity;
    status.mutable_status();
    members.mutable_members();
    identity.mutable_identity();
    submit(status);
    submit(members);
    submit(identity);
    ASSERT_EQ(replies_.size(), 3u);
    EXPECT_EQ(replies_[0].second.json(), "status");
    EXPECT_EQ(replies_[1].second.json(), "members");
    EXPECT_EQ(replies_[2].second.client().birth(), 8u);
    EXPECT_EQ(replies_[2].second.client().random(), 9u);
}

TEST_F(RequestsTest, PendingTableIsBounded) {
    for (uint64_t i = 1; i <= 65'536; ++i) submit(write(i));
    EXPECT_TRUE(replies_.empty());
    submit(write(65'537));
    EXPECT_EQ(told().code(), pb::BUSY);
    EXPECT_TRUE(says(told(), "nothing was done"));
    EXPECT_EQ(count<event::Submit>(), 65'536u);
    submit_from(NodeId(2), 41, write(1));
    EXPECT_EQ(replies_.size(), 1u);
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].reply().code(), pb::BUSY);
    pb::Request status;
    status.mutable_status();
    submit(status);  // may always be asked
    EXPECT_EQ(replies_.back().second.json(), "status");
}

}  // namespace
}  // namespace assent::test
