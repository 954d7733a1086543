// One replica, its disk and its peers played by the test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>

#include "core/invariants.h"
#include "core/replica.h"

namespace assent {

class Bench {
  public:
    explicit Bench(uint32_t nodes, NodeState state = fresh(), std::vector<EntryPtr> ledger = {},
                   Index applied = Index(), const Options& options = usual_options())
        : options_(options), invariants_(options_), nodes_(nodes) {
        Recovered found(options_, state, Index(ledger.size()), applied);
        for (const EntryPtr& e : ledger) found.add(e);
        found.finish();
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
    static Options usual_options() {
        Options o;
        o.node = NodeId(1);
        o.incarnation = Incarnation(501);
        o.fresh_cluster = ClusterId{7, 7};
        return o;
    }
    // What a node of a founded cluster knows of itself, and the ledger that goes with it: the first CONFIG.
    static NodeState member() {
        NodeState s = fresh();
        s.cluster = ClusterId{7, 7};
        return s;
    }
    static std::vector<EntryPtr> founded(uint32_t nodes) {
        auto config = std::make_shared<Config>();
        config->cluster = ClusterId{7, 7};
        for (uint32_t n = 1; n <= nodes; ++n) config->voters.push_back({NodeId(n), LedgerId(100 + n), 1});
        auto entry = std::make_shared<Entry>();
        entry->index = Index(1);
        entry->kind = EntryKind::config;
        entry->config = config;
        return {entry};
    }

    Update give(Event event) {
        ReplicaView before = replica_->view();
        Update u = replica_->step(Now{time_, suspended_}, std::move(event));
        EXPECT_EQ(invariants_.check(before, replica_->view(), u), "");
        if (u.persist) issued_ = u.persist->seq;
        for (const Outgoing& out : u.messages) sent_.push_back(out);
        for (const Answer& a : u.answers) answers_.push_back(a);
        for (const Verdict& v : u.verdicts) verdicts_.push_back(v);
        prepared_.insert(prepared_.end(), u.prepare.begin(), u.prepare.end());
        deadline_ = u.deadline_us;
        for (const Outgoing& out : u.messages) {
            if (out.by_cpg && !loses_own_) give(event::Received{out.header, out.message, true});  // its own delivery
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
    // Without a tick.
    void time_goes(int64_t raw_us, int64_t suspended_us) {
        time_ += raw_us;
        suspended_ += suspended_us;
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
    // CPG loses what this node multicasts, until told otherwise.
    void lose_own(bool lose) { loses_own_ = lose; }
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
    std::vector<EntryPtr> prepared() { return std::exchange(prepared_, {}); }
    std::vector<Verdict> verdicts() { return std::exchange(verdicts_, {}); }

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
    Options options_;
    Invariants invariants_;
    uint32_t nodes_;
    std::unique_ptr<Replica> replica_;
    std::vector<ListedNode> nodelist_;
    bool loses_own_ = false;
    int64_t time_ = 1'000'000;
    int64_t suspended_ = 0;
    int64_t deadline_ = kNever;
    PersistSeq issued_;
    PersistSeq synced_;
    std::map<uint64_t, uint64_t> sequences_;
    std::vector<Outgoing> sent_;
    std::vector<Answer> answers_;
    std::vector<EntryPtr> prepared_;
    std::vector<Verdict> verdicts_;
};

}  // namespace assent
