// What status, tests and invariants see of a replica.
#include <algorithm>

#include "core/replica_impl.h"

namespace assent {

namespace {

// Why no majority of applications takes writes; empty: one does, as far as this node knows.
std::string hung_applications(const ReplicaView& v) {
    auto unwell = [&v](const Voter& voter) {
        return std::any_of(v.peers.begin(), v.peers.end(), [&voter](const Progress& p) {
            return p.node == voter.node && p.ledger == voter.ledger && p.present && !p.application_healthy;
        });
    };
    if (v.config.voters.empty() || is_majority(v.config, [&](const Voter& voter) { return !unwell(voter); })) return {};
    std::string nodes;
    for (const Voter& voter : v.config.voters) {
        if (unwell(voter)) nodes += concat(nodes.empty() ? "" : ", ", voter.node);
    }
    return concat("no majority of the applications takes writes: those of the nodes ", nodes, " do not answer");
}

}  // namespace

ReplicaView Replica::Impl::view() const {
    ReplicaView v;
    v.role = role_;
    v.observer = !find_voter(log_.config(), options_.node, state_.ledger);
    v.quorate = quorate_;
    v.state = state_;
    v.master = master_;
    v.master_epoch = master_ ? state_.ballot : Epoch();
    v.ring = ring_;
    v.members = members_;
    v.last = log_.last();
    v.first_kept = log_.first_kept();
    v.durable = durability_.durable();
    v.matched = role_ == Role::master ? log_.last().index : matched_;
    v.mark = durability_.mark();
    v.stored = stored_;
    v.confirmed = confirm_;
    v.handed = handed_;
    v.applied = applied_;
    v.application_runs = application_runs_;
    v.epoch_entry = role_ == Role::master ? epoch_entry_ : Index();
    v.lease = lease_runs(now_);
    v.sealed = sealed_;
    v.config = log_.config();
    v.writes_confirmed = writes_confirmed_;
    v.writes_cancelled = writes_cancelled_;
    v.writes_unknown = writes_unknown_;
    v.messages_dropped = dropped_;

    if (role_ == Role::master) {
        for (const auto& [node, f] : followers_) {
            if (node != options_.node) v.peers.push_back(f.progress);
        }
    }
    Progress self;
    self.node = options_.node;
    self.ledger = state_.ledger;
    self.durable = role_ == Role::master ? durability_.durable() : own_durable();
    self.accepted = own_accepted();
    self.linked = true;
    v.peers.push_back(self);
    for (const Voter& voter : v.config.voters) {
        auto same = [&voter](const Progress& p) { return p.node == voter.node && p.ledger == voter.ledger; };
        auto found = std::find_if(v.peers.begin(), v.peers.end(), same);
        if (found == v.peers.end()) {
            Progress p;
            p.node = voter.node;
            p.ledger = voter.ledger;
            found = v.peers.insert(v.peers.end(), p);
        }
        found->voter = true;
        found->votes = voter.votes;
    }
    for (Progress& p : v.peers) {
        p.present = in_view(p.node);
        if (p.node == options_.node) {
            p.application_healthy = app_healthy_;
        } else {
            p.linked = std::binary_search(links_.begin(), links_.end(), p.node);
            auto status = latest_.find(p.node);
            p.application_healthy = status == latest_.end() || status->second.application_healthy;
        }
    }
    std::sort(v.peers.begin(), v.peers.end(), [](const Progress& a, const Progress& b) { return a.node < b.node; });

    auto present = [this](const Voter& voter) { return in_view(voter.node); };
    if (members_.empty()) {
        v.reason = "corosync is not there: no view";
    } else if (!state_.cluster) {
        v.reason =
            concat("waiting for the first CONFIG: all ", nodelist_.size(),
                   " nodes of corosync's nodelist must be present at once, each with assentd and an empty ledger");
    } else if (!quorate_) {
        v.reason = "corosync is not quorate";
    } else if (!is_majority(log_.config(), present) && !v.config.voters.empty()) {
        v.reason = "no majority of the voters is in the view";
    } else if (role_ == Role::master) {
        auto heard = [this](const Voter& voter) {
            if (voter.node == options_.node) return true;
            auto f = followers_.find(voter.node);
            return f != followers_.end() && f->second.answered + 5 > heartbeat_id_;
        };
        if (sealed_) {
            v.reason = "mastership is being handed over";
        } else if (confirm_ < epoch_entry_) {
            v.reason = "this master's EPOCH entry is not confirmed yet: a majority has to store it first";
        } else if (!is_majority(log_.config(), heard)) {
            v.reason = "a majority of the voters is in the view, but does not answer";
        }
    } else if (!knows_master() && foreign_) {
        v.reason = concat(
            "node ", foreign_,
            " belongs to another cluster (its cluster_id is not this ledger's): one of the two was formed apart; "
            "to let this node join the other, move its state folder away");
    } else if (!knows_master()) {
        v.reason = role_ == Role::candidate ? "no master: this node is standing for it" : "no master known";
    }
    v.can_read = v.reason.empty();
    if (v.reason.empty()) v.reason = hung_applications(v);
    v.can_write = v.reason.empty();
    return v;
}

}  // namespace assent
