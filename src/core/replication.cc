// R3: what makes a node append or truncate, and how it gets what it missed.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

namespace {
constexpr int64_t kFetchTimeoutUs = 500'000;
constexpr int64_t kParkedUs = 1'000'000;
constexpr uint64_t kHeldProposalBytes = 8 << 20;
}  // namespace

// A message of somebody's epoch: is it to be followed? Raises the ballot if it has to.
bool Replica::Impl::follow(const Header& h, Epoch epoch, bool from_master) {
    if (epoch < state_.ballot && !ASSENT_MUTANT(message_of_an_older_epoch_followed)) {
        ++dropped_;
        if (from_master) status_wanted_ = true;  // its sender learns of the ballot
        return false;
    }
    if (epoch > state_.ballot) {
        if (!adopt_cluster(h)) return false;
        if (role_ == Role::master) stop_being_master(concat("node ", h.from, " is in epoch ", epoch));
        raise_ballot(epoch, NodeId());
    } else if (role_ == Role::master || !adopt_cluster(h)) {
        return false;
    }
    role_ = Role::follower;
    if (!from_master || freed_epoch_ == epoch) return true;
    if (master_ && master_ != h.from) {
        say(concat("ALARM: nodes ", master_, " and ", h.from, " both act as master of epoch ", epoch));
        return false;
    }
    if (!master_) {
        say(concat("follows master ", h.from, " of epoch ", epoch));
        master_ = h.from;
        fetch_server_ = 0;
    }
    master_heard_us_ = now();
    stand_at_us_ = kNever;
    return true;
}

void Replica::Impl::leave_epoch() {
    master_ = NodeId();
    if (!ASSENT_MUTANT(match_kept_over_epochs)) matched_ = Index();
    pending_pair_ = VerdictPair();
    if (!ASSENT_MUTANT(proposals_held_over_epochs)) held_proposals_.clear();
    held_proposal_bytes_ = 0;
    behind_ = Position();
    fetching_ = false;
    parked_.clear();
}

// ---- PROPOSE, CONFIRM

void Replica::Impl::handle(const Header& h, Propose& p) {
    if (ASSENT_MUTANT(older_epoch_acked_while_a_vote_syncs) && p.epoch < state_.ballot && p.epoch == acked_.epoch &&
        !ballot_durable() && log_.has(p.previous) && take_entries(p.previous, p.entries)) {
        send(h.from, Ack{p.epoch, log_.last().index, log_.last().index, {}}, this_persist());
        matched_ = Index();
    }
    if (!follow(h, p.epoch, true)) return;
    VerdictPair verdicts = p.verdicts;
    if (log_.has(p.previous) || (ASSENT_MUTANT(appends_without_match) && p.previous.index <= log_.last().index)) {
        take_entries(p.previous, p.entries);
        if (p.last > log_.last().index) fetch(concat("entry ", p.last, " is too large for CPG"));
        take_held_proposals();
    } else {
        std::string why = concat("gap: proposal goes on from ", p.previous, ", mine ends at ", log_.last());
        hold_proposal(std::move(p));
        fetch(why);
    }
    learn(verdicts);
}

void Replica::Impl::handle(const Header& h, const Confirm& c) {
    if (follow(h, c.epoch, true)) learn(c.verdicts);
}

// Both have `previous`. Skips what is here already, truncates from the first conflict on, appends the rest.
bool Replica::Impl::take_entries(const Position& previous, const std::vector<EntryPtr>& entries) {
    Index upto = previous.index;
    for (const EntryPtr& e : entries) {
        if (e->index != next(upto) || e->epoch > state_.ballot) return false;
        auto here = log_.epoch_at(e->index);
        if (here && ASSENT_MUTANT(conflicting_entry_kept)) here = e->epoch;
        if (here != e->epoch) {
            if (here) truncate(e->index, concat("the master has epoch ", e->epoch, " there, mine was ", *here));
            if (e->epoch < log_.last().epoch) return false;
            if (tail_full()) break;
            append(e);
        }
        upto = e->index;
    }
    if (ASSENT_MUTANT(truncates_without_conflict) && upto < log_.last().index && upto >= confirm_)
        truncate(next(upto), "the message ends there");
    matched_to(upto);
    return true;
}

// The disk is that far behind. (What is durable and undecided is bounded by what masters propose beyond their confirm
// index.)
bool Replica::Impl::tail_full() const {
    return log_.bytes_above(std::max(durability_.durable(), handed_)) > options_.tail_bytes;
}

void Replica::Impl::hold_proposal(Propose&& p) {
    uint64_t bytes = 64;
    for (const EntryPtr& e : p.entries) bytes += weight(*e);
    if (held_proposal_bytes_ + bytes > kHeldProposalBytes) return;  // FETCH will bring it
    held_proposal_bytes_ += bytes;
    held_proposals_.push_back(std::move(p));
}

void Replica::Impl::take_held_proposals() {
    while (!held_proposals_.empty()) {
        Propose& p = held_proposals_.front();
        if (p.previous.index > log_.last().index) return;
        if (log_.has(p.previous)) {
            take_entries(p.previous, p.entries);
            if (p.last > log_.last().index) fetch(concat("entry ", p.last, " is too large for CPG"));
        }
        held_proposals_.pop_front();
        if (held_proposals_.empty()) held_proposal_bytes_ = 0;
    }
}

void Replica::Impl::matched_to(Index upto) {
    matched_ = std::max(matched_, std::min(upto, log_.last().index));
    if (pending_pair_.confirm && pending_pair_.stored <= matched_) decide(std::exchange(pending_pair_, VerdictPair()));
}

// ---- FETCH, ENTRIES

void Replica::Impl::fetch(const std::string& why) {
    if (fetching_ || role_ != Role::follower || !master_) return;
    if (tail_full()) return;  // the disk has to come first
    std::vector<NodeId> servers = {master_};
    for (NodeId n : links_) {
        if (n != master_ && in_view(n)) servers.push_back(n);
    }
    std::erase_if(servers, [this](NodeId n) { return !std::binary_search(links_.begin(), links_.end(), n); });
    if (servers.empty()) return;
    NodeId server = servers[fetch_server_ % servers.size()];
    Fetch f;
    f.epoch = state_.ballot;
    f.id = ++fetch_id_;
    if (matched_) f.matched = {*log_.epoch_at(matched_), matched_};
    const auto& runs = log_.runs();
    for (auto it = runs.rbegin(); it != runs.rend() && f.runs.size() < kMaxFetchRuns; ++it) f.runs.push_back(*it);
    fetching_ = true;
    fetch_until_us_ = ASSENT_MUTANT(lost_fetch_never_repeated) ? kNever : now() + kFetchTimeoutUs;
    if (!why.empty()) say(concat("fetches from node ", server, ": ", why));
    // The last entry goes along as a run's end; the server needs it to find where the two ledgers part.
    f.last = log_.last();
    send(server, std::move(f), ballot_seq());
}

// The last position that this ledger shares with the asker's, by the asker's newest runs: two ledgers with the same epoch
// at an index are the same up to it.
Position Replica::Impl::common_position(const Fetch& f) const {
    if (f.matched.index && log_.has(f.matched)) return f.matched;
    Index end = f.last.index;
    if (ASSENT_MUTANT(fetch_goes_on_from_the_askers_end)) return f.last;
    for (const Run& theirs : f.runs) {
        for (auto mine = log_.runs().rbegin(); mine != log_.runs().rend(); ++mine) {
            if (mine->epoch < theirs.epoch) break;
            if (mine->epoch != theirs.epoch) continue;
            Index my_end = mine == log_.runs().rbegin() ? log_.last().index : prior(std::prev(mine)->first);
            Index common = std::min(end, my_end);
            if (common >= std::max(theirs.first, mine->first)) return {theirs.epoch, common};
        }
        if (!theirs.first) break;
        end = prior(theirs.first);
    }
    return {};
}

void Replica::Impl::handle(const Header& h, const Fetch& f) {
    bool acked = role_ == Role::master || matched_ || ASSENT_MUTANT(entries_from_a_node_that_did_not_ack);
    if (f.epoch != state_.ballot || !acked) return;
    if (parked_.size() < 128) serve_fetch(h.from, f);
}

void Replica::Impl::serve_fetch(NodeId to, const Fetch& f) {
    // Only what is durable here, and (not the master's) matches the master of this epoch: what this node acked itself.
    Index limit = ASSENT_MUTANT(entries_from_a_node_that_did_not_ack) ? durability_.durable() : own_durable();
    Position previous = common_position(f);
    if (previous.index < limit) {
        update_.serve.push_back({to, f.id, f.epoch, previous, next(previous.index), limit, options_.fetch_bytes});
        return;
    }
    if (role_ == Role::master && previous.index < log_.last().index) {
        parked_[to] = {f, now() + kParkedUs};  // until the next sync
        return;
    }
    // What a follower has above what it acked may be anybody's: the asker would take it for this master's.
    if (role_ != Role::master && previous.index > limit) previous = {*log_.epoch_at(limit), limit};
    Entries none;
    none.epoch = f.epoch;
    none.id = f.id;
    none.previous = previous;
    none.last = previous;
    send(to, std::move(none), ballot_seq());
}

void Replica::Impl::serve_parked() {
    if (parked_.empty()) return;
    auto parked = std::move(parked_);
    parked_.clear();
    for (auto& [node, p] : parked) {
        if (now() < p.until_us) serve_fetch(node, p.fetch);
    }
}

void Replica::Impl::on(event::EntriesRead& e) {
    if (e.epoch != state_.ballot || e.entries.empty()) return;
    Index limit = ASSENT_MUTANT(entries_from_a_node_that_did_not_ack) ? durability_.durable() : own_durable();
    Index upto = e.entries.back()->index;
    if (upto > limit || !log_.has(e.entries.back()->position())) return;
    Entries m;
    m.epoch = e.epoch;
    m.id = e.id;
    m.previous = e.previous;
    m.entries = std::move(e.entries);
    m.last = {*log_.epoch_at(limit), limit};
    m.verdicts = announced();
    send(e.to, std::move(m), ballot_seq());
}

void Replica::Impl::handle(const Header& h, Entries& m) {
    if (!fetching_ || m.id != fetch_id_ || m.epoch != state_.ballot) return;
    if (!follow(h, m.epoch, h.from == master_)) return;
    fetching_ = false;
    if (m.entries.empty()) ++fetch_server_;  // it knows no more than this node: next time another
    if (!log_.has(m.previous) || !take_entries(m.previous, m.entries)) {
        say(concat("ENTRIES of node ", h.from, " after ", m.previous, " do not fit: mine ends at ", log_.last()));
        return;
    }
    learn(m.verdicts);
    take_held_proposals();
    if (m.last.index > log_.last().index) {
        fetch("");
    } else if (!m.entries.empty()) {
        say(concat("caught up to ", log_.last()));
    }
}

void Replica::Impl::replication_timers() {
    if (fetching_ && now() >= fetch_until_us_) {
        fetching_ = false;
        ++fetch_server_;
        fetch("no answer in time, tries the next one");
    }
    if (role_ == Role::master && now() >= confirm_at_us_) {
        confirm_at_us_ = kNever;
        multicast(Confirm{state_.ballot, announced()});
    }
}

}  // namespace assent
