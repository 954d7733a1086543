// One replica driven by hand: what it says, when, and what it does not say yet.
#include <gtest/gtest.h>

#include "replica_bench.h"

namespace assent {
namespace {

TEST(Replica, WaitsForEveryNodeOfTheNodelist) {
    Bench b(3);
    b.all_here();
    b.hear(2, b.status_of_other());
    b.sync();
    EXPECT_FALSE(b.cluster());
    Status other_list = b.status_of_other();
    other_list.nodelist.pop_back();
    b.hear(3, other_list);
    b.sync();
    EXPECT_FALSE(b.cluster());
    Status used = b.status_of_other();
    used.ledger_empty = false;
    b.hear(3, used);
    b.sync();
    EXPECT_FALSE(b.cluster());
    b.hear(3, b.status_of_other());
    b.sync();
    EXPECT_TRUE(b.cluster());
}

TEST(Replica, StandsOnlyOnceItsVoteIsDurable) {
    Bench b(3);
    b.all_here();
    b.hear(2, b.status_of_other());
    b.hear(3, b.status_of_other());
    EXPECT_TRUE(b.take<VoteRequest>().empty());
    b.sync();
    auto requests = b.take<VoteRequest>();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_NE(std::get<VoteRequest>(requests[0].message).first_config, nullptr);
}

TEST(Replica, GrantsOneVoteAnEpochNamedAndDurable) {
    Bench b(3);
    b.become_master_of_three();
    b.take<Vote>();
    Position last = b.view().last;
    Epoch epoch = next(b.view().state.ballot);
    b.sleep(1'000'000);
    b.hear(2, VoteRequest{epoch, last, false, nullptr});
    EXPECT_TRUE(b.take<Vote>().empty()) << "before it is durable";
    b.sync();
    auto votes = b.take<Vote>();
    ASSERT_EQ(votes.size(), 1u);
    EXPECT_EQ(votes[0].header.to, NodeId(2));
    EXPECT_TRUE(std::get<Vote>(votes[0].message).granted);
    EXPECT_FALSE(b.replica().is_master());
    b.hear(3, VoteRequest{epoch, last, false, nullptr});
    b.sync();
    votes = b.take<Vote>();
    ASSERT_EQ(votes.size(), 1u);
    EXPECT_FALSE(std::get<Vote>(votes[0].message).granted);
}

TEST(Replica, AMajorityHasToAck) {
    Bench b(3);
    b.become_master_of_three();
    ASSERT_TRUE(b.replica().is_master());
    Epoch epoch = b.view().state.ballot;
    b.give(event::Submit{Token(1), ClientId{Index(0), 11}, 1, 1, "x"});
    b.give(event::Flush{});
    b.sync();
    EXPECT_TRUE(b.answers().empty());
    b.hear(2, Ack{epoch, Index(3), Index(2), {}});  // durable, but not accepted
    EXPECT_TRUE(b.answers().empty());
    EXPECT_EQ(b.view().stored, Index(3));
    EXPECT_EQ(b.view().confirmed, Index(2));
    b.hear(2, Ack{epoch, Index(3), Index(3), {}});
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].kind, AnswerKind::confirmed);
}

TEST(Replica, AcksOfAnotherLedgerOrEpochCountForNothing) {
    Bench b(3);
    b.become_master_of_three();
    Epoch epoch = b.view().state.ballot;
    Header h;
    h.from = NodeId(2);
    h.ledger = LedgerId(999);  // a wiped disk
    h.incarnation = Incarnation(777);
    h.cluster = b.cluster();
    h.to = NodeId(1);
    b.give(event::Received{h, Ack{epoch, Index(2), Index(2), {}}, false});
    EXPECT_EQ(b.view().stored, Index(0));
    b.hear(3, Ack{Epoch(0), Index(2), Index(2), {}});
    EXPECT_EQ(b.view().stored, Index(0));
    b.hear(3, Ack{epoch, Index(2), Index(2), {}});
    EXPECT_EQ(b.view().stored, Index(2));
}

TEST(Replica, RefusesWhatOnlyAMasterDoes) {
    Bench b(3);
    b.all_here();
    b.give(event::Submit{Token(1), ClientId{Index(0), 11}, 1, 1, "x"});
    b.give(event::Read{Token(2)});
    b.give(event::AskOutcome{Token(3), ClientId{Index(0), 11}, 1});
    b.give(event::MoveMaster{Token(4), NodeId(2)});
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 4u);
    for (const Answer& a : answers) EXPECT_EQ(a.kind, AnswerKind::not_master) << a.token.value;
}

TEST(Replica, ARepeatedRequestGetsTheFirstOutcome) {
    Bench b(1);
    b.all_here();
    b.sync();
    for (uint64_t token = 1; token <= 3; ++token) {
        b.give(event::Submit{Token(token), ClientId{Index(0), 11}, 1, 1, "x"});
        if (token != 1) b.give(event::Flush{});
    }
    b.sync();
    b.give(event::Submit{Token(4), ClientId{Index(0), 11}, 1, 1, "x"});
    b.give(event::Flush{});
    b.sync();
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 4u);
    for (const Answer& a : answers) {
        EXPECT_EQ(a.kind, AnswerKind::confirmed);
        EXPECT_EQ(a.index, Index(3));
    }
}

TEST(Replica, ARestartEndsMastership) {
    std::vector<EntryPtr> ledger;
    NodeState state;
    {
        Bench b(1);
        b.all_here();
        b.sync();
        ASSERT_TRUE(b.replica().is_master());
        for (const Verdict& v : b.verdicts()) ledger.push_back(v.entry);
        state = b.view().state;
    }
    Bench again(1, state, ledger, Index(0));
    again.all_here();
    EXPECT_FALSE(again.replica().is_master());
    again.sleep(400'000);  // a lease may have been granted before
    again.sync();
    EXPECT_TRUE(again.replica().is_master());
    EXPECT_GT(again.view().state.ballot, state.ballot);
}

TEST(Recovered, SplitsTheLedgerAtTheAppliedIndex) {
    Options options;
    auto entry = [](uint64_t index, uint64_t epoch, EntryKind kind) {
        auto e = std::make_shared<Entry>();
        e->index = Index(index);
        e->epoch = Epoch(epoch);
        e->kind = kind;
        if (kind == EntryKind::config) e->config = std::make_shared<Config>();
        if (kind == EntryKind::write) e->client = ClientId{Index(0), index}, e->sequence = 1;
        return e;
    };
    Recovered r(options, NodeState(), Index(4), Index(3));
    r.add(entry(1, 0, EntryKind::config));
    r.add(entry(2, 1, EntryKind::epoch));
    r.add(entry(3, 1, EntryKind::write));
    r.add(entry(4, 3, EntryKind::epoch));
    r.add(entry(5, 3, EntryKind::write));
    r.finish();
    EXPECT_EQ(r.last, (Position{Epoch(3), Index(5)}));
    EXPECT_EQ(r.runs, (std::vector<assent::Run>{{Epoch(0), Index(1)}, {Epoch(1), Index(2)}, {Epoch(3), Index(4)}}));
    EXPECT_EQ(r.configs.size(), 1u);
    ASSERT_EQ(r.tail().size(), 2u);
    EXPECT_EQ(r.tail()[0]->index, Index(4));
    EXPECT_EQ(r.decided(), (VerdictPair{Index(3), Index(3)}));
    EXPECT_EQ(r.clients.find(ClientId{Index(0), 3}, 1).outcome, Outcome::confirmed);
    EXPECT_EQ(r.clients.find(ClientId{Index(0), 5}, 1).outcome, Outcome::none);
}

}  // namespace
}  // namespace assent
