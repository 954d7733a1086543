#include "core/invariants.h"

#include <algorithm>

namespace assent {
namespace {

std::string num(uint64_t n) { return std::to_string(n); }

template <typename Tag, typename Rep> std::string num(Number<Tag, Rep> n) { return std::to_string(n.value); }

std::string from_to(const char* what, uint64_t from, uint64_t to) {
    return std::string(what) + " went from " + num(from) + " to " + num(to);
}

}  // namespace

bool same_entry(const Entry& a, const Entry& b) {
    if (a.index != b.index || a.epoch != b.epoch || a.kind != b.kind || a.client != b.client) return false;
    if (a.sequence != b.sequence || a.first_unanswered != b.first_unanswered || a.data != b.data) return false;
    if (!(a.cancel == b.cancel) || a.announced != b.announced || !a.config != !b.config) return false;
    return !a.config || *a.config == *b.config;
}

// ---- one replica

void Invariants::broken(const char* rule, const std::string& detail) {
    if (broken_.empty()) broken_ = std::string(rule) + " on node " + num(node_) + ": " + detail;
}

// The detail is put together only if something is broken: this runs after every step.
#define require(holds, ...) ((holds) ? void() : broken(__VA_ARGS__))

std::string Invariants::check(const ReplicaView& before, const ReplicaView& after, const Update& update) {
    broken_.clear();
    never_back(before, after);
    within(before, after);
    if (update.persist) persisted(before, after, *update.persist);
    if (!begun_) handed_ = before.handed;
    begun_ = true;
    verdicts(after, update.verdicts);
    for (const Outgoing& out : update.messages) sent(after, out);
    return broken_;
}

void Invariants::never_back(const ReplicaView& before, const ReplicaView& after) {
    const NodeState& was = before.state;
    const NodeState& is = after.state;
    require(is.ballot >= was.ballot, "I6", from_to("ballot", was.ballot.value, is.ballot.value));
    require(is.ballot != was.ballot || !was.voted_for || is.voted_for == was.voted_for, "R2",
            "voted for " + num(was.voted_for) + " and " + num(is.voted_for) + " in epoch " + num(is.ballot));
    require(is.longest_lease_us >= was.longest_lease_us, "R8",
            from_to("the longest lease", was.longest_lease_us, is.longest_lease_us));
    require(is.ledger == was.ledger && is.node == was.node, "R9", "the node's identity changed");
    require(!was.cluster || is.cluster == was.cluster, "R9", "the cluster_id changed");
    require(after.stored >= before.stored, "I6", from_to("stored", before.stored.value, after.stored.value));
    require(after.confirmed >= before.confirmed, "I6",
            from_to("confirmed", before.confirmed.value, after.confirmed.value));
    bool same_application = after.application_runs == before.application_runs;
    require(!same_application || after.applied >= before.applied, "I6",
            from_to("applied", before.applied.value, after.applied.value));
    bool same_master_epoch = before.master && after.master && before.master_epoch == after.master_epoch;
    require(!same_master_epoch || before.master == after.master, "I1",
            "epoch " + num(after.master_epoch) + " has masters " + num(before.master) + " and " + num(after.master));
    bool stayed =
        before.role == Role::master && after.role == Role::master && before.master_epoch == after.master_epoch;
    require(!stayed || after.last >= before.last, "R3", "a master's ledger shrank to " + text(after.last));
}

void Invariants::within(const ReplicaView& before, const ReplicaView& after) {
    require(after.applied <= after.confirmed, "R7",
            "applied " + num(after.applied) + " is above confirmed " + num(after.confirmed));
    require(after.confirmed == before.confirmed || after.confirmed <= after.stored, "R7",
            "confirmed " + num(after.confirmed) + " is above stored " + num(after.stored));
    require(after.confirmed == before.confirmed || after.confirmed <= after.last.index, "R7",
            "confirmed " + num(after.confirmed) + " is above the ledger's end " + text(after.last));
    require(after.mark <= after.durable, "R5",
            "accepted " + num(after.mark) + " is above durable " + num(after.durable));
    require(after.durable <= after.last.index, "R4",
            "durable " + num(after.durable) + " is above the ledger's end " + text(after.last));
    require(after.matched <= after.last.index, "R3",
            "matched " + num(after.matched) + " is above the ledger's end " + text(after.last));
    require(after.last.epoch <= after.state.ballot, "R1",
            "the ledger ends with " + text(after.last) + ", above ballot " + num(after.state.ballot));
    if (after.role != Role::master) return;
    require(after.master == node_, "R2", "it is master and takes " + num(after.master) + " for it");
    require(after.master_epoch == after.state.ballot, "R1",
            "master of epoch " + num(after.master_epoch) + " with ballot " + num(after.state.ballot));
    bool moved =
        before.role == Role::master && before.master_epoch == after.master_epoch && after.confirmed > before.confirmed;
    require(!moved || after.stored >= after.epoch_entry, "R6",
            "confirmed " + num(after.confirmed) + " before its EPOCH entry " + num(after.epoch_entry) + " was stored");
}

void Invariants::persisted(const ReplicaView& before, const ReplicaView& after, const Persist& unit) {
    require(unit.seq.value == last_unit_.value + 1, "R4", "unit " + num(unit.seq) + " follows unit " + num(last_unit_));
    last_unit_ = unit.seq;
    Index last = before.last.index;
    if (unit.truncate_from) {
        require(unit.truncate_from > before.confirmed, "I3",
                "truncates from " + num(unit.truncate_from) + ", confirmed is " + num(before.confirmed));
        last = std::min(last, prior(unit.truncate_from));
    }
    Epoch epoch;
    for (const EntryPtr& entry : unit.append) {
        require(entry->index == next(last), "I2", "appends " + text(entry->position()) + " after index " + num(last));
        require(entry->epoch >= epoch && entry->epoch <= after.state.ballot, "R1",
                "appends " + text(entry->position()) + " with ballot " + num(after.state.ballot));
        last = entry->index;
        epoch = entry->epoch;
    }
    // A mark may tell of what an earlier unit appended, but not of what is not there.
    require(!unit.mark || *unit.mark <= last, "R5",
            "marks " + num(unit.mark.value_or(Index())) + " accepted, the ledger ends at " + num(last));
}

// Verdicts wait for the node's own sync, so they may lag behind the confirm index.
void Invariants::verdicts(const ReplicaView& after, const std::vector<Verdict>& given) {
    for (const Verdict& v : given) {
        require(v.entry && v.entry->index == next(handed_), "I7",
                "the verdict after " + num(handed_) + " is not for the next index");
        if (!v.entry) return;
        require(!v.cancel || v.cancel->cancel.index == v.entry->index, "R7",
                "the CANCEL given for " + num(v.entry->index) + " names another index");
        require(!v.cancel || v.entry->kind == EntryKind::write, "R7", "an entry that is no WRITE is cancelled");
        require(!v.cancel || v.cancel->index <= after.durable, "R7",
                "the CANCEL given for " + num(v.entry->index) + " is not durable here");
        handed_ = v.entry->index;
    }
    require(handed_ <= after.confirmed, "I7",
            "verdicts end at " + num(handed_) + ", the confirm index is " + num(after.confirmed));
    require(handed_ <= after.durable, "I7",
            "verdicts end at " + num(handed_) + ", the ledger is durable up to " + num(after.durable));
}

void Invariants::sent(const ReplicaView& after, const Outgoing& out) {
    require(out.header.from == node_ && out.header.incarnation == incarnation_, "R1",
            std::string(name(out.message)) + " with a foreign sender");
    if (out.by_cpg) {
        require(out.header.sequence == cpg_sent_ + 1, "CPG",
                "sequence " + num(out.header.sequence) + " follows " + num(cpg_sent_));
        cpg_sent_ = out.header.sequence;
    }
    if (const auto* propose = std::get_if<Propose>(&out.message)) {
        require(after.role == Role::master && propose->epoch == after.master_epoch, "R3",
                "proposes in epoch " + num(propose->epoch) + " without being its master");
        require(propose->verdicts.confirm <= after.confirmed, "R7",
                "announces confirm index " + num(propose->verdicts.confirm) + ", has " + num(after.confirmed));
    }
    if (const auto* ack = std::get_if<Ack>(&out.message)) {
        require(ack->accepted <= ack->durable, "R5", "acks accepted " + num(ack->accepted) + " above durable");
        require(ack->epoch >= after.state.ballot, "R1",
                "acks in epoch " + num(ack->epoch) + " with ballot " + num(after.state.ballot));
    }
}

// ---- all replicas

const Entry* ClusterInvariants::Ledger::at(Index i) const {
    return i && i <= last() ? entries[i.value - 1].get() : nullptr;
}

void ClusterInvariants::Ledger::take(const Persist& unit) {
    if (unit.state) state = *unit.state;
    if (unit.truncate_from && unit.truncate_from <= last()) {
        entries.resize(unit.truncate_from.value - 1);
        mark = std::min(mark, last());
        while (!configs.empty() && configs.back()->index > last()) configs.pop_back();
        std::erase_if(cancels, [this](const auto& named) { return named.second > last(); });
    }
    for (const EntryPtr& entry : unit.append) note(entry);
    entries.insert(entries.end(), unit.append.begin(), unit.append.end());
    if (unit.mark) mark = *unit.mark;
}

void ClusterInvariants::Ledger::note(const EntryPtr& entry) {
    if (entry->config) configs.push_back(entry);
    if (entry->kind == EntryKind::cancel && entry->cancel.index) cancels.try_emplace(entry->cancel.index, entry->index);
}

void ClusterInvariants::broken(const char* rule, const std::string& detail) {
    if (broken_.empty()) broken_ = std::string(rule) + ": " + detail;
}

std::string ClusterInvariants::take_broken() { return std::exchange(broken_, std::string()); }

std::string ClusterInvariants::restarted(NodeId node, Incarnation incarnation, const NodeState& state,
                                         const std::vector<EntryPtr>& entries, Index mark) {
    Member& m = members_[node];
    if (m.incarnation && m.durable.state.ledger != state.ledger) {
        gone_[m.durable.state.ledger] = m.durable;
    } else if (m.incarnation) {
        const Ledger& said = m.durable;
        require(state.ballot >= said.state.ballot, "I9",
                "node " + num(node) + " lost its ballot " + num(said.state.ballot));
        require(state.ballot != said.state.ballot || !said.state.voted_for || state.voted_for == said.state.voted_for,
                "I9", "node " + num(node) + " lost its vote in epoch " + num(state.ballot));
        require(state.longest_lease_us >= said.state.longest_lease_us, "I9", "node " + num(node) + " lost its lease");
    }
    m.incarnation = incarnation;
    m.mastered = Epoch();
    m.durable = Ledger();
    for (const EntryPtr& entry : entries) m.durable.note(entry);
    m.durable.entries = entries;
    m.durable.state = state;
    m.durable.mark = mark;
    m.asked = m.durable;
    voted(node, state);
    return take_broken();
}

void ClusterInvariants::voted(NodeId node, const NodeState& state) {
    if (state.voted_for) votes_[state.ballot][{node, state.ledger}] = state.voted_for;
    if (!cluster_) cluster_ = state.cluster;
    require(!state.cluster || state.cluster == cluster_, "R9", "node " + num(node) + " is of another cluster");
}

std::string ClusterInvariants::synced(NodeId node, const Persist& unit) {
    members_[node].durable.take(unit);
    if (unit.state) voted(node, *unit.state);
    for (const EntryPtr& entry : unit.append) {
        if (entry->epoch == Epoch(0)) meet(node, entry, Epoch());
    }
    return take_broken();
}

std::string ClusterInvariants::stepped(NodeId node, const ReplicaView& before, const ReplicaView& after,
                                       const Update& update) {
    if (update.persist) appended(node, *update.persist);
    masters(node, after);
    if (after.role == Role::master) counted(node, after);
    bool as_master = after.role == Role::master || before.role == Role::master;
    if (after.confirmed > before.confirmed) {
        Epoch epoch = after.role == Role::master ? after.master_epoch : before.master_epoch;
        if (as_master && after.confirmed > decided()) decide(node, epoch, after.confirmed, after.stored);
        require(after.confirmed <= decided(), "R7",
                "node " + num(node) + " takes " + num(after.confirmed) + " for confirmed, no master confirmed above " +
                    num(decided()));
        const Entry* mine = members_[node].asked.at(after.confirmed);
        bool same = after.confirmed <= decided() && mine && same_entry(*mine, *decided(after.confirmed));
        require(same, "I3",
                "node " + num(node) + " confirms at " + num(after.confirmed) + " another entry than was decided");
    }
    for (const Verdict& v : update.verdicts) same_verdict(node, v);
    for (const Outgoing& out : update.messages) sent(node, after, out);
    return take_broken();
}

void ClusterInvariants::masters(NodeId node, const ReplicaView& after) {
    Member& m = members_[node];
    if (after.role != Role::master) {
        m.mastered = Epoch();
        return;
    }
    if (m.mastered == after.master_epoch) return;
    m.mastered = after.master_epoch;
    auto [it, fresh] = masters_.try_emplace(after.master_epoch, Master{node, m.incarnation});
    require(fresh, "I1",
            "epoch " + num(after.master_epoch) + " has masters " + num(it->second.node) + " and " + num(node) +
                " (or one twice)");
    elected(node, after);
    // It may be elected late: what a greater epoch confirmed meanwhile it does not know.
    size_t count = decided_.size();
    while (count > 0 && decided_in_[count - 1] >= after.master_epoch) --count;
    if (count == 0) return;
    const Entry& newest = *decided_[count - 1];
    const Entry* has = m.asked.at(newest.index);
    // By I2 the same last entry means the same prefix.
    require(has && same_entry(*has, newest), "I3",
            "node " + num(node) + " is master of epoch " + num(after.master_epoch) + " without the confirmed entry " +
                text(newest.position()));
}

// By durable votes from the recorded disks.
void ClusterInvariants::elected(NodeId node, const ReplicaView& after) {
    const auto& votes = votes_[after.master_epoch];
    auto of = [&](const std::vector<Voter>& voters) {
        uint64_t all = 0;
        uint64_t with = 0;
        for (const Voter& v : voters) {
            all += v.votes;
            const auto vote = votes.find({v.node, v.ledger});
            if (vote != votes.end() && vote->second == node) with += v.votes;
        }
        return 2 * with > all;
    };
    require(of(after.config.voters) && (after.config.outgoing.empty() || of(after.config.outgoing)), "R2",
            "node " + num(node) + " is master of epoch " + num(after.master_epoch) +
                " without a majority of the votes");
}

// A master counts nothing that was not acked in its epoch.
void ClusterInvariants::counted(NodeId node, const ReplicaView& after) {
    for (const Progress& p : after.peers) {
        if (p.node == node || !p.durable) continue;
        const Ack& said = members_[p.node].acked;
        if (said.epoch > after.master_epoch) continue;
        require(said.epoch == after.master_epoch && p.durable <= said.durable && p.accepted <= said.accepted, "R5",
                "node " + num(node) + " counts " + num(p.durable) + " durable and " + num(p.accepted) +
                    " accepted on node " + num(p.node) + ", which did not say so in epoch " + num(after.master_epoch));
    }
}

void ClusterInvariants::announced(const ReplicaView& after, const VerdictPair& pair) {
    require(after.role != Role::master || !pair.stored || after.stored >= after.epoch_entry, "R6",
            "stored " + num(pair.stored) + " is announced before the EPOCH entry " + num(after.epoch_entry) +
                " is stored");
}

void ClusterInvariants::appended(NodeId node, const Persist& unit) {
    Ledger& ledger = members_[node].asked;
    ledger.take(unit);
    for (const EntryPtr& entry : unit.append) {
        if (entry->epoch == Epoch(0)) continue;  // a first CONFIG that was never durable never was: see synced()
        const Entry* before = ledger.at(prior(entry->index));
        meet(node, entry, before ? before->epoch : Epoch());
    }
}

void ClusterInvariants::meet(NodeId node, const EntryPtr& entry, Epoch previous) {
    auto [it, fresh] = known_.try_emplace(entry->position(), Known{entry, previous});
    if (fresh) return;
    bool same = it->second.entry == entry || same_entry(*it->second.entry, *entry);
    require(same, "I2", "two entries at " + text(entry->position()) + ", one on node " + num(node));
    require(it->second.previous == previous, "I2",
            "two entries before " + text(entry->position()) + ", one on node " + num(node));
}

void ClusterInvariants::decide(NodeId node, Epoch epoch, Index upto, Index stored) {
    const Ledger& ledger = members_[node].asked;
    while (decided() < upto) {
        Index i = next(decided());
        if (!ledger.at(i)) {
            require(false, "R7", "node " + num(node) + " confirms " + num(i) + ", which it does not have");
            return;
        }
        const EntryPtr& entry = ledger.entries[i.value - 1];
        decide_one(node, ledger, entry, stored);
        decided_.push_back(entry);
        decided_in_.push_back(epoch);
    }
    for (const auto& [id, member] : members_) {
        if (member.mastered <= epoch) continue;
        const Entry* has = member.asked.at(upto);
        require(has && same_entry(*has, *decided_.back()), "I3",
                "node " + num(id) + ", master of epoch " + num(member.mastered) + ", lacks " + num(upto) +
                    ", which epoch " + num(epoch) + " confirmed");
    }
}

// As the master that decides it sees it: cancelled if its ledger has a CANCEL that is stored, else confirmed.
void ClusterInvariants::decide_one(NodeId node, const Ledger& ledger, const EntryPtr& entry, Index stored) {
    auto named = ledger.cancels.find(entry->index);
    if (named != ledger.cancels.end()) {
        require(named->second <= stored, "R7",
                "node " + num(node) + " decides " + num(entry->index) + " before its CANCEL at " + num(named->second) +
                    " is stored");
        require(entry->kind == EntryKind::write, "R7", "CANCEL at " + num(named->second) + " names no WRITE");
        acked_by_majority(node, *ledger.at(named->second));
        cancelled_[entry->index] = named->second;
        return;
    }
    acked_by_majority(node, *entry);
    if (entry->kind == EntryKind::write && entry->client.random) note_write(*entry);
    if (entry->kind == EntryKind::cancel) note_cancel(*entry);
}

void ClusterInvariants::note_write(const Entry& entry) {
    auto key = std::make_pair(entry.client, entry.sequence);
    bool fresh = writes_.try_emplace(key, entry.index).second;
    require(fresh, "R10", "a client's write is confirmed at " + num(writes_[key]) + " and " + num(entry.index));
    require(!cancelled_writes_.count(key), "I5",
            "the write at " + num(entry.index) + " was cancelled by client and sequence");
}

void ClusterInvariants::note_cancel(const Entry& entry) {
    if (entry.cancel.index) {
        require(cancelled_.count(entry.cancel.index), "I5",
                "index " + num(entry.cancel.index) + " was confirmed, and CANCEL at " + num(entry.index) + " names it");
        return;
    }
    auto named = std::make_pair(entry.cancel.client, entry.cancel.sequence);
    cancelled_writes_[named] = entry.index;
    require(!writes_.count(named), "I5", "CANCEL at " + num(entry.index) + " names a confirmed write");
}

void ClusterInvariants::same_verdict(NodeId node, const Verdict& verdict) {
    Index i = verdict.entry->index;
    require(i <= decided() && same_entry(*verdict.entry, *decided(i)), "I7",
            "node " + num(node) + " gives a verdict at " + num(i) + " for what was not decided there");
    auto named = cancelled_.find(i);
    Index by = named == cancelled_.end() ? Index() : named->second;
    Index said = verdict.cancel ? verdict.cancel->index : Index();
    require(by == said, "I5",
            "index " + num(i) + " was decided by CANCEL " + num(by) + " (0: confirmed), node " + num(node) + " says " +
                num(said));
}

bool ClusterInvariants::majority(const std::vector<Voter>& voters, const Entry& entry) const {
    uint64_t all = 0;
    uint64_t have = 0;
    for (const Voter& voter : voters) {
        all += voter.votes;
        const auto it = members_.find(voter.node);
        const auto gone = gone_.find(voter.ledger);
        const bool here = it != members_.end() && it->second.durable.state.ledger == voter.ledger;
        if (!here && gone == gone_.end()) continue;
        const Ledger& ledger = here ? it->second.durable : gone->second;
        const Entry* has = ledger.at(entry.index);
        if (!has || has->epoch != entry.epoch) continue;
        if (entry.kind == EntryKind::write && ledger.mark < entry.index) continue;
        have += voter.votes;
    }
    return have * 2 > all;
}

void ClusterInvariants::acked_by_majority(NodeId node, const Entry& entry) {
    const Ledger& ledger = members_[node].asked;
    const Config* config = ledger.configs.empty() ? nullptr : ledger.configs.back()->config.get();
    if (!config) {
        require(false, "I4", "node " + num(node) + " confirms " + num(entry.index) + " without a CONFIG");
        return;
    }
    bool acked = majority(config->voters, entry) && (config->outgoing.empty() || majority(config->outgoing, entry));
    require(acked, "I4",
            "node " + num(node) + " confirms " + text(entry.position()) +
                ", which no majority has durable and accepted");
}

void ClusterInvariants::sent(NodeId node, const ReplicaView& after, const Outgoing& out) {
    if (const auto* propose = std::get_if<Propose>(&out.message)) announced(after, propose->verdicts);
    if (const auto* confirm = std::get_if<Confirm>(&out.message)) announced(after, confirm->verdicts);
    if (const auto* beat = std::get_if<Heartbeat>(&out.message)) announced(after, beat->verdicts);
    if (const auto* entries = std::get_if<Entries>(&out.message)) announced(after, entries->verdicts);
    const NodeState& durable = members_[node].durable.state;
    if (const auto* vote = std::get_if<Vote>(&out.message); vote && vote->granted) {
        require(durable.ballot == vote->epoch && (!out.header.to || durable.voted_for == out.header.to), "I9",
                "node " + num(node) + " grants a vote in epoch " + num(vote->epoch) + " that is not durable");
    }
    if (const auto* request = std::get_if<VoteRequest>(&out.message)) {
        require(durable.ballot == request->epoch && durable.voted_for == node, "I9",
                "node " + num(node) + " stands in epoch " + num(request->epoch) + " before its own vote is durable");
    }
    if (const auto* answer = std::get_if<HeartbeatAnswer>(&out.message); answer && answer->lease_granted) {
        require(durable.longest_lease_us > 0, "I9", "node " + num(node) + " grants a lease that is not durable");
    }
    if (const auto* transfer = std::get_if<Transfer>(&out.message)) {
        Index last = members_[node].asked.last();
        const Ledger& target = members_[transfer->target].durable;
        // One that is in a greater epoch already takes no notice, and one whose disk was wiped meanwhile cannot stand.
        const auto recorded = std::find_if(after.config.voters.begin(), after.config.voters.end(),
                                           [&](const Voter& v) { return v.node == transfer->target; });
        const bool wiped = recorded != after.config.voters.end() && recorded->ledger != target.state.ledger;
        require(wiped || target.state.ballot > transfer->epoch || target.last() >= last, "R2",
                "node " + num(node) + " hands over to node " + num(transfer->target) + ", which lacks " + num(last));
    }
    if (const auto* ack = std::get_if<Ack>(&out.message)) {
        require(durable.ballot >= ack->epoch, "R1",
                "node " + num(node) + " acks in epoch " + num(ack->epoch) + ", its durable ballot is " +
                    num(durable.ballot));
        ack_true(node, *ack);
        Ack& most = members_[node].acked;
        if (ack->epoch > most.epoch) most = Ack{ack->epoch, Index(), Index(), {}};
        if (ack->epoch == most.epoch) {
            most.durable = std::max(most.durable, ack->durable);
            most.accepted = std::max(most.accepted, ack->accepted);
        }
    }
}

void ClusterInvariants::ack_true(NodeId node, const Ack& ack) {
    const Ledger& durable = members_[node].durable;
    require(durable.last() >= ack.durable, "I9",
            "node " + num(node) + " acks " + num(ack.durable) + ", durable is " + num(durable.last()));
    require(durable.mark >= ack.accepted, "I9",
            "node " + num(node) + " acks accepted " + num(ack.accepted) + ", durable mark is " + num(durable.mark));
    auto master = masters_.find(ack.epoch);
    require(master != masters_.end(), "R5",
            "node " + num(node) + " acks in epoch " + num(ack.epoch) + ", which has no master");
    if (master == masters_.end()) return;
    const Member& m = members_[master->second.node];
    if (m.mastered != ack.epoch) return;
    const Entry* mine = durable.at(ack.durable);
    const Entry* theirs = m.asked.at(ack.durable);
    require(!ack.durable || (mine && theirs && mine->epoch == theirs->epoch), "R5",
            "node " + num(node) + " acks " + num(ack.durable) + " in epoch " + num(ack.epoch) +
                " where its ledger differs from the master's");
}

std::string ClusterInvariants::applied(NodeId node, const Verdict& verdict) {
    same_verdict(node, verdict);
    return take_broken();
}

Index ClusterInvariants::write_of(const ClientId& client, uint64_t sequence) const {
    auto it = writes_.find({client, sequence});
    return it == writes_.end() ? Index() : it->second;
}

}  // namespace assent
