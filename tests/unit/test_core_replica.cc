// One replica driven by hand: what it says, when, and what it does not say yet.
#include <gtest/gtest.h>

#include "core/invariants.h"
#include "core/replica.h"

namespace assent {
namespace {

// A replica whose disk and peers are the test.
class Bench {
  public:
    explicit Bench(uint32_t nodes, NodeState state = fresh(), std::vector<EntryPtr> ledger = {},
                   Index applied = Index())
        : options_(options()), invariants_(options_), nodes_(nodes) {
        Recovered found(options_, state, Index(ledger.size()), applied);
        for (const EntryPtr& e : ledger) found.add(e);
        replica_ = std::make_unique<Replica>(options_, std::move(found));
        give(event::Start{});
        event::NodeList list;
        for (uint32_t n = 1; n <= nodes; ++n) list.nodes.push_back({NodeId(n), 1});
        give(list);
        nodelist_ = list.nodes;
    }

    static NodeState fresh() {
        NodeState s;
        s.node = NodeId(1);
        s.ledger = LedgerId(101);
        return s;
    }

    Update give(Event event) {
        ReplicaView before = replica_->view();
        Update u = replica_->step(Now{time_, time_}, std::move(event));
        EXPECT_EQ(invariants_.check(before, replica_->view(), u), "");
        if (u.persist) issued_ = u.persist->seq;
        for (const Outgoing& out : u.messages) sent_.push_back(out);
        for (const Answer& a : u.answers) answers_.push_back(a);
        for (const EntryPtr& e : u.confirmed) confirmed_.push_back(e);
        deadline_ = u.deadline_us;
        for (const Outgoing& out : u.messages) {
            if (out.by_cpg) give(event::Received{out.header, out.message, true});  // its own delivery
        }
        return u;
    }
    // Everything handed out is on the disk now, until there is nothing more.
    void sync() {
        while (synced_ < issued_) {
            synced_ = issued_;
            give(event::Persisted{synced_});
        }
    }
    void sleep(int64_t us) {
        int64_t until = time_ + us;
        while (deadline_ <= until) {
            time_ = std::max(time_, deadline_);
            give(event::Tick{});
        }
        time_ = until;
    }
    void hear(uint32_t from, Message m, uint64_t incarnation = 0) {
        Header h;
        h.from = NodeId(from);
        h.ledger = LedgerId(100 + from);
        h.incarnation = Incarnation(incarnation ? incarnation : 500 + from);
        h.cluster = cluster();
        h.sequence = ++sequences_[h.incarnation.value];
        give(event::Received{h, std::move(m), true});
    }
    void all_here() {
        event::View v;
        v.ring = RingId{NodeId(1), 4};
        for (uint32_t n = 1; n <= nodes_; ++n) v.members.push_back(NodeId(n));
        give(v);
        give(event::Quorum{true});
    }
    Status status_of_other() const {
        Status s;
        s.nodelist = nodelist_;
        return s;
    }
    template <typename M> std::vector<Outgoing> take() {
        std::vector<Outgoing> found;
        for (const Outgoing& out : sent_) {
            if (std::holds_alternative<M>(out.message)) found.push_back(out);
        }
        sent_.clear();
        return found;
    }
    ClusterId cluster() const { return replica_->view().state.cluster; }
    ReplicaView view() const { return replica_->view(); }
    const Replica& replica() const { return *replica_; }
    std::vector<Answer> answers() { return std::exchange(answers_, {}); }
    std::vector<EntryPtr> confirmed() { return std::exchange(confirmed_, {}); }

    // A cluster of three whose master this node is.
    void become_master_of_three() {
        all_here();
        hear(2, status_of_other());
        hear(3, status_of_other());
        sync();
        Epoch epoch = view().state.ballot;
        hear(2, Vote{epoch, true, epoch, Position()});
        sync();
    }

  private:
    static Options options() {
        Options o;
        o.node = NodeId(1);
        o.incarnation = Incarnation(501);
        o.fresh_cluster = ClusterId{7, 7};
        return o;
    }

    Options options_;
    Invariants invariants_;
    uint32_t nodes_;
    std::unique_ptr<Replica> replica_;
    std::vector<ListedNode> nodelist_;
    int64_t time_ = 1'000'000;
    int64_t deadline_ = kNever;
    PersistSeq issued_;
    PersistSeq synced_;
    std::map<uint64_t, uint64_t> sequences_;
    std::vector<Outgoing> sent_;
    std::vector<Answer> answers_;
    std::vector<EntryPtr> confirmed_;
};

TEST(Replica, AClusterOfOneFoundsItselfAndConfirms) {
    Bench b(1);
    b.all_here();
    b.sync();
    ASSERT_TRUE(b.replica().is_master());
    b.give(event::Submit{Token(1), ClientId{Index(0), 11}, 1, 1, "x"});
    b.give(event::Flush{});
    EXPECT_TRUE(b.answers().empty()) << "nothing is said before the sync";
    b.sync();
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].kind, AnswerKind::confirmed);
    EXPECT_EQ(answers[0].index, Index(3));
    EXPECT_EQ(b.confirmed().size(), 3u);  // CONFIG, EPOCH, the write
}

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

TEST(Replica, AVoteForAnotherIsNotCounted) {
    Bench b(3);
    b.all_here();
    b.hear(2, b.status_of_other());
    b.hear(3, b.status_of_other());
    b.sync();
    Epoch epoch = b.view().state.ballot;
    Header h;
    h.from = NodeId(2);
    h.to = NodeId(3);
    h.ledger = LedgerId(102);
    h.incarnation = Incarnation(502);
    h.cluster = b.cluster();
    h.sequence = 100;
    b.give(event::Received{h, Vote{epoch, true, epoch, Position()}, true});
    EXPECT_FALSE(b.replica().is_master());
    h.to = NodeId(1);
    h.sequence = 101;
    b.give(event::Received{h, Vote{epoch, true, epoch, Position()}, true});
    EXPECT_TRUE(b.replica().is_master());
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
        ledger = b.confirmed();
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
    EXPECT_EQ(r.last, (Position{Epoch(3), Index(5)}));
    EXPECT_EQ(r.runs, (std::vector<assent::Run>{{Epoch(0), Index(1)}, {Epoch(1), Index(2)}, {Epoch(3), Index(4)}}));
    EXPECT_EQ(r.configs.size(), 1u);
    ASSERT_EQ(r.tail.size(), 2u);
    EXPECT_EQ(r.tail[0]->index, Index(4));
    EXPECT_EQ(r.clients.find(ClientId{Index(0), 3}, 1).outcome, Outcome::confirmed);
    EXPECT_EQ(r.clients.find(ClientId{Index(0), 5}, 1).outcome, Outcome::none);
}

}  // namespace
}  // namespace assent
