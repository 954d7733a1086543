// Requests on their way between nodes: to the master, and from a peer.
#include "requests_support.h"

namespace assent::test {
namespace {

// ---- forwarded

TEST_F(RequestsTest, ForwardedToTheMasterAndAnswered) {
    master_ = NodeId(2);
    submit(write(9, "data"));
    EXPECT_TRUE(events_.empty());
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].to, NodeId(2));
    pb::Request r = sent_[0].request();
    EXPECT_EQ(r.write().data(), "data");
    EXPECT_EQ(r.sequence(), 9u);
    EXPECT_EQ(r.client().random(), kClient.random);
    EXPECT_LT(r.deadline_ms() * 1000, uint64_t{kLimitUs});  // its answer must still come in time
    EXPECT_GT(r.deadline_ms() * 1000, uint64_t{kLimitUs - 100'000});
    peer_replies(sent_[0], pb::DONE, "", "result");
    EXPECT_EQ(told().code(), pb::DONE);
    EXPECT_EQ(told().id(), 509u);
    EXPECT_EQ(told().result(), "result");
    EXPECT_EQ(replies_[0].first.id, kSession);
    peer_replies(sent_[0], pb::DONE, "", "again");
    EXPECT_EQ(replies_.size(), 1u);
}

TEST_F(RequestsTest, ReplyOfAnotherNodeIsNotTaken) {
    master_ = NodeId(2);
    submit(write());
    Sent s = sent_.at(0);
    s.to = NodeId(3);
    peer_replies(s, pb::DONE);
    EXPECT_TRUE(replies_.empty());
}

TEST_F(RequestsTest, NotMasterIsAskedAgainAtTheNext) {
    master_ = NodeId(2);
    submit(write(6));
    master_ = NodeId(3);
    peer_is_not_master(sent_.at(0));
    ASSERT_EQ(sent_.size(), 2u);
    EXPECT_EQ(sent_[1].to, NodeId(3));
    EXPECT_EQ(sent_[1].request().client().birth(), kClient.birth.value);
    EXPECT_EQ(sent_[1].request().client().random(), kClient.random);
    EXPECT_EQ(sent_[1].request().sequence(), 6u);
    // Nothing was done at node 2, so this one may say the same.
    peer_replies(sent_[1], pb::NO_MAJORITY, "nothing was done");
    EXPECT_EQ(told().code(), pb::NO_MAJORITY);
}

TEST_F(RequestsTest, NodeThatDeniesToBeMasterIsAskedAgainWithTheTick) {
    master_ = NodeId(2);
    submit(write());
    peer_is_not_master(sent_.at(0));
    EXPECT_EQ(sent_.size(), 1u);  // no ping-pong
    wait(Requests::kTickUs);
    EXPECT_EQ(sent_.size(), 2u);
}

TEST_F(RequestsTest, NotMasterAfterAProposalIsNotNothing) {
    // Node 2 proposed it, and lost mastership: its not_master carries an UNKNOWN.
    master_ = NodeId(2);
    submit(write());
    master_ = NodeId();
    pb::Reply unknown;
    unknown.set_code(pb::UNKNOWN);
    pb::Forwarded f;
    f.set_key(sent_.at(0).f.key());
    f.set_not_master(true);
    unknown.SerializeToString(f.mutable_reply());
    requests_.on_forwarded(NodeId(2), f, now_);
    EXPECT_TRUE(replies_.empty());
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
}

TEST_F(RequestsTest, LinkDownInMidRequestIsUnknownAtTheDeadline) {
    master_ = NodeId(2);
    submit(write());
    linked_ = false;
    requests_.on_link_down(NodeId(2), now_);
    EXPECT_TRUE(replies_.empty());
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
    EXPECT_FALSE(says(told(), "nothing was done"));
    EXPECT_EQ(told().client().random(), kClient.random);  // to ask with
    EXPECT_EQ(told().sequence(), 1u);
}

TEST_F(RequestsTest, SilentMasterIsUnknownAtTheDeadline) {
    master_ = NodeId(2);
    submit(write());
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
}

TEST_F(RequestsTest, LinkOfAnotherNodeDoesNotMatter) {
    master_ = NodeId(2);
    submit(write());
    requests_.on_link_down(NodeId(3), now_);
    EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(RequestsTest, NothingDoneOfASecondAttemptIsUnknown) {
    for (pb::Code code : {pb::NO_MAJORITY, pb::NO_MASTER, pb::TIMED_OUT}) {
        replies_.clear();
        sent_.clear();
        master_ = NodeId(2);
        submit(write());
        master_ = NodeId(3);
        requests_.on_link_down(NodeId(2), now_);
        ASSERT_EQ(sent_.size(), 2u);
        peer_replies(sent_[1], code, "nobody there");
        EXPECT_EQ(told().code(), pb::UNKNOWN) << code;
        EXPECT_TRUE(says(told(), "nobody there"));
    }
}

TEST_F(RequestsTest, BusyOfAPeerIsToldOnlyOnTheFirstAttempt) {
    master_ = NodeId(2);
    submit(write());
    peer_replies(sent_.at(0), pb::BUSY);
    EXPECT_EQ(told().code(), pb::BUSY);

    replies_.clear();
    submit(write());
    requests_.on_link_down(NodeId(2), now_);
    peer_replies(sent_.at(2), pb::BUSY);
    EXPECT_TRUE(replies_.empty());
    wait(Requests::kTickUs);
    peer_replies(sent_.at(3), pb::DONE);
    EXPECT_EQ(told().code(), pb::DONE);
}

TEST_F(RequestsTest, AnotherMasterIsAskedUnderTheSameSequence) {
    master_ = NodeId(2);
    submit(write(8));
    master_ = NodeId(3);
    wait(Requests::kTickUs);
    wait(Requests::kTickUs);
    ASSERT_EQ(sent_.size(), 2u);
    EXPECT_EQ(sent_[1].to, NodeId(3));
    EXPECT_EQ(sent_[1].request().sequence(), 8u);
    peer_replies(sent_[0], pb::NO_MASTER);  // too late, and not what counts any more
    EXPECT_TRUE(replies_.empty());
    peer_replies(sent_[1], pb::DONE);
    EXPECT_EQ(told().code(), pb::DONE);
}

TEST_F(RequestsTest, NoLinkToTheMasterAtAllMeansNothingWasDone) {
    master_ = NodeId(2);
    linked_ = false;
    submit(write());
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::TIMED_OUT);
    EXPECT_TRUE(says(told(), "nothing was done"));
}

// ---- from a peer

TEST_F(RequestsTest, PeersRequestIsServedAndAnsweredToThePeer) {
    submit_from(NodeId(2), 41, write());
    answer(last_event<event::Submit>().token, AnswerKind::confirmed, Index(11));
    apply(Index(11), {{Index(11), "r"}});
    EXPECT_TRUE(replies_.empty());
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].to, NodeId(2));
    EXPECT_EQ(sent_[0].f.key(), 41u);
    EXPECT_EQ(sent_[0].reply().code(), pb::DONE);
    EXPECT_EQ(sent_[0].reply().result(), "r");
}

TEST_F(RequestsTest, PeersRequestIsNeverForwardedAgain) {
    for (NodeId master : {NodeId(3), NodeId()}) {
        sent_.clear();
        master_ = master;
        submit_from(NodeId(2), 41, write());
        ASSERT_EQ(sent_.size(), 1u);
        EXPECT_EQ(sent_[0].to, NodeId(2));
        EXPECT_EQ(sent_[0].f.key(), 41u);
        EXPECT_TRUE(sent_[0].f.not_master());
        EXPECT_TRUE(sent_[0].f.request().empty());
        EXPECT_TRUE(sent_[0].f.reply().empty());
        EXPECT_FALSE(requests_.busy());
    }
}

TEST_F(RequestsTest, PeersRequestRefusedByTheCoreGoesBack) {
    submit_from(NodeId(2), 41, write());
    master_ = NodeId(3);
    answer(last_event<event::Submit>().token, AnswerKind::not_master);
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].to, NodeId(2));
    EXPECT_TRUE(sent_[0].f.not_master());
    EXPECT_TRUE(sent_[0].f.reply().empty());
}

TEST_F(RequestsTest, PeersRequestThatMayBeProposedGoesBackAsUnknown) {
    submit_from(NodeId(2), 41, write());
    master_ = NodeId();
    answer(last_event<event::Submit>().token, AnswerKind::unknown);
    wait(Requests::kTickUs);
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_TRUE(sent_[0].f.not_master());
    EXPECT_EQ(sent_[0].reply().code(), pb::UNKNOWN);
}

TEST_F(RequestsTest, PeersBadRequestIsAnsweredToThePeer) {
    submit_from(NodeId(2), 41, write(1, "bad"));
    EXPECT_TRUE(replies_.empty());  // session 2 is somebody else
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].to, NodeId(2));
    EXPECT_EQ(sent_[0].f.key(), 41u);
    EXPECT_EQ(sent_[0].reply().code(), pb::BAD_REQUEST);
}

TEST_F(RequestsTest, UnreadableForwardIsDropped) {
    pb::Forwarded f;
    f.set_request("\xff\xff");
    requests_.on_forwarded(NodeId(2), f, now_);
    EXPECT_FALSE(requests_.busy());
    EXPECT_TRUE(sent_.empty());
}

TEST_F(RequestsTest, UnreadableReplyIsNotTakenForNothing) {
    master_ = NodeId(2);
    submit(write());
    pb::Forwarded f;
    f.set_key(sent_.at(0).f.key());
    f.set_reply("\xff\xff");
    requests_.on_forwarded(NodeId(2), f, now_);
    EXPECT_TRUE(replies_.empty());
    linked_ = false;
    wait(kLimitUs);
    EXPECT_EQ(told().code(), pb::UNKNOWN);
}

}  // namespace
}  // namespace assent::test
