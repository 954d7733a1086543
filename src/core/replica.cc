#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

Replica::Replica(const Options& options, Recovered&& recovered)
    : impl_(std::make_unique<Impl>(options, std::move(recovered))) {}
Replica::~Replica() = default;

Update Replica::step(Now now, Event event) { return impl_->step(now, std::move(event)); }
ReplicaView Replica::view() const { return impl_->view(); }
bool Replica::is_master() const { return impl_->role_ == Role::master; }
NodeId Replica::master() const { return impl_->master_; }
Index Replica::confirmed() const { return impl_->confirm_; }
Index Replica::applied() const { return impl_->applied_; }
VerdictPair Replica::handed() const { return {impl_->handed_, impl_->handed_stored_}; }
std::optional<Epoch> Replica::epoch_at(Index index) const { return impl_->log_.epoch_at(index); }
EntryPtr Replica::entry(Index index) const { return impl_->log_.entry(index); }
const ClientTable& Replica::clients() const { return impl_->clients_; }
std::vector<Voter> Replica::lease_voters(Now now) const { return impl_->lease_voters(now); }

Replica::Impl::Impl(const Options& options, Recovered&& r)
    : options_(options), state_(r.state), clients_(std::move(r.clients)), confirm_(r.decided().confirm),
      handed_(r.decided().confirm), handed_stored_(r.decided().stored), applied_(r.applied),
      durability_(r.last.index, r.mark), rng_(options.random_seed), mark_(r.mark), saved_mark_(r.mark),
      stored_(r.decided().stored) {
    ASSENT_ASSERT(applied_ <= handed_ && handed_ <= r.last.index);
    ASSENT_ASSERT(state_.node == options_.node);
    log_.restore(r.last, std::move(r.runs), std::move(r.configs), r.tail(), handed_);
    for (Index i = next(handed_); i <= log_.last().index; i = next(i)) {
        if (ASSENT_MUTANT(undecided_writes_not_looked_up_at_a_start)) break;
        note_undecided(log_.entry(i));
    }
    if (ASSENT_MUTANT(cancel_forgotten_by_a_restart)) cancels_.clear();
}

// Which client's write an entry decides the fate of, if any.
std::optional<WriteId> Replica::Impl::write_id(const Entry& e) {
    if (e.kind == EntryKind::write && e.client.random != 0) return WriteId{e.client, e.sequence};
    if (e.kind == EntryKind::cancel && e.cancel.client.random != 0) return WriteId{e.cancel.client, e.cancel.sequence};
    return std::nullopt;
}

void Replica::Impl::note_undecided(const EntryPtr& e) {
    if (auto id = write_id(*e)) undecided_.try_emplace(*id, e->index);
    if (e->kind == EntryKind::cancel && e->cancel.index > handed_) cancels_.try_emplace(e->cancel.index, e);
}

void Replica::Impl::forget_undecided(const Entry& e) {
    if (e.kind == EntryKind::cancel) {
        auto named = cancels_.find(e.cancel.index);
        if (named != cancels_.end() && named->second->index == e.index) cancels_.erase(named);
    }
    auto id = write_id(e);
    if (!id) return;
    auto found = undecided_.find(*id);
    if (found != undecided_.end() && found->second == e.index) undecided_.erase(found);
}

Update Replica::Impl::step(Now now, Event event) {
    update_ = Update();
    if (ASSENT_MUTANT(time_read_before_the_pause) && std::holds_alternative<event::Read>(event)) now = now_;
    now_.raw_us = std::max(now_.raw_us, now.raw_us);
    now_.suspended_us = std::max(now_.suspended_us, now.suspended_us);
    std::visit([this](auto& e) { on(e); }, event);
    finish_step();
    update_.deadline_us = next_deadline();
    return std::move(update_);
}

// The persist is made before anything is counted, so that what was cut in this step counts for nothing in it.
void Replica::Impl::finish_step() {
    advance_mark();
    if (role_ == Role::master) cancel_rejected();
    bool mark_moved = mark_ != saved_mark_;
    if (state_dirty_ || truncated_from_ || !appended_.empty() || mark_moved) {
        Persist p;
        p.seq = durability_.begin(log_.last().index, mark_, now());
        if (state_dirty_) {
            p.state = state_;
            state_seq_ = p.seq;
        }
        p.truncate_from = truncated_from_;
        p.append = std::move(appended_);
        if (mark_moved) p.mark = mark_;
        update_.persist = std::move(p);
        appended_.clear();
        truncated_from_ = Index();
        state_dirty_ = false;
        saved_mark_ = mark_;
    }
    if (role_ == Role::master) tally();
    offer_again();
    hand_over();
    if (role_ == Role::master) {
        handover_progress();
    }
    if (role_ == Role::master) serve_reads();
    send_ack(false);
    serve_parked();
    release_held();
    ASSENT_ASSERT(!state_dirty_);
}

// ---- surroundings

void Replica::Impl::on(const event::Start&) {
    ASSENT_ASSERT(!started_);
    started_ = true;
    // A lease granted before the start may still run: nothing tells how old it is (R8).
    start_wait_until_us_ = now() + static_cast<int64_t>(state_.longest_lease_us);
    if (ASSENT_MUTANT(votes_at_once_after_a_restart)) start_wait_until_us_ = 0;
    next_status_us_ = now();
    if (!ASSENT_MUTANT(entries_not_offered_again_after_a_restart)) ask_application();
    say(concat("start: ballot ", state_.ballot, ", last ", log_.last(), ", applied ", applied_, ", accepted ", mark_,
               state_.cluster ? "" : ", no cluster yet"));
    if (ASSENT_MUTANT(mastership_resumed_after_a_restart) && state_.voted_for == options_.node &&
        log_.last().epoch == state_.ballot)
        become_master();
}

void Replica::Impl::on(const event::View& e) {
    ring_ = e.ring;
    members_ = e.members;
    std::string list;
    for (NodeId n : members_) list += concat(list.empty() ? "" : " ", n);
    say(concat("view ", ring_.representative, ".", ring_.sequence, ": members ", list));
    heard_.clear();
    stand_at_us_ = kNever;
    // A view change never proves continuity: say where this ledger stands at every one of them.
    send_status(!knows_master());
    if (role_ == Role::master) next_heartbeat_us_ = now();
    if (role_ == Role::candidate && vote_request_sent_) vote_request_sent_ = false;
    if (role_ == Role::follower && master_ && !in_view(master_))
        forget_master(concat("master ", master_, " left the view"));
    election_timers();
    lease_timers();
}

void Replica::Impl::on(const event::CpgLost&) {
    if (!members_.empty()) say("CPG lost: no view");
    members_.clear();
    heard_.clear();
    self_delivered_ = sent_sequence_;
    stand_at_us_ = kNever;
}

void Replica::Impl::on(const event::Quorum& e) {
    if (quorate_ != e.quorate) say(e.quorate ? "quorate" : "not quorate: neither stands nor proposes");
    quorate_ = e.quorate;
    consider_founding();  // a cluster of one hears nobody's STATUS
    follow_election();
}

void Replica::Impl::on(const event::NodeList& e) {
    nodelist_ = e.nodes;
    std::sort(nodelist_.begin(), nodelist_.end());
    status_wanted_ = true;
}

void Replica::Impl::on(const event::Links& e) {
    links_ = e.up;
    std::sort(links_.begin(), links_.end());
    status_wanted_ = true;
    if (role_ == Role::master) next_heartbeat_us_ = std::min(next_heartbeat_us_, now() + 1000);
}

void Replica::Impl::on(const event::Application& e) {
    if (app_healthy_ != e.healthy) {
        say(e.healthy ? "application answers again" : "application does not answer: accepts nothing more");
        status_wanted_ = true;
    }
    app_healthy_ = e.healthy;
}

void Replica::Impl::on(const event::Persisted& e) {
    ASSENT_ASSERT(e.seq <= durability_.issued());
    durability_.complete(e.seq);
    if (role_ == Role::candidate) count_votes();
    if (!state_.cluster) {
        take_own_cluster();
        follow_election();
    }
}

void Replica::Impl::on(const event::Opinions& e) {
    auto asked = [this](Index i) {
        return i > handed_ && (i > mark_ || ASSENT_MUTANT(accept_taken_back)) && i <= log_.last().index;
    };
    for (Index i : e.accepted) {
        if (asked(i)) opinions_.accept(i);
    }
    for (const Rejection& r : e.rejected) {
        if (!asked(r.index)) continue;
        say(concat("the application rejects ", r.index, ": ", r.reason));
        if (ASSENT_MUTANT(rejected_counted_as_accepted)) opinions_.accept(r.index);
        if (ASSENT_MUTANT(accept_taken_back)) mark_ = std::min(mark_, prior(r.index));
        opinions_.reject(r);
        if (offer_again_us_ == kNever) offer_again_us_ = now() + options_.master_timeout_us;
    }
}

void Replica::Impl::on(const event::Attached& e) {
    ASSENT_ASSERT(e.applied <= handed_);
    ++application_runs_;
    applied_ = e.applied;
    opinions_.clear();
    offer_again_us_ = kNever;
    ask_application();
}

void Replica::Impl::on(const event::Applied& e) {
    ASSENT_ASSERT(e.upto <= handed_);
    applied_ = std::max(applied_, e.upto);
    while (!unapplied_.empty() && unapplied_.front().upto <= applied_) unapplied_.pop_front();
}

void Replica::Impl::on(const event::Flush&) {
    if (role_ == Role::master) propose_queued();
}

void Replica::Impl::on(const event::Tick&) {
    if (!started_) return;
    election_timers();
    lease_timers();
    replication_timers();
    if (role_ == Role::master) consider_handover();
    // What is on its way holds up the queue; if CPG lost it, only a later message of our own can tell.
    if (!queue_.empty() && now() >= own_overdue_us()) send_status(false);
}

// When an own message should have been delivered here.
int64_t Replica::Impl::own_overdue_us() const {
    return sent_sequence_ == self_delivered_ ? kNever : multicast_us_ + options_.master_timeout_us;
}

// ---- messages

bool Replica::Impl::drop(const char* why, const Header& h, const Message& m) {
    ++dropped_;
    std::string line = concat("dropped ", name(m), " of node ", h.from, ": ", why);
    if (logged_drops_.size() < 256 && logged_drops_.insert(line).second) say(line + " (said once)");
    return false;
}

bool Replica::Impl::admit_sequence(const Header& h) {
    Peer& peer = peers_[h.from];
    if (h.sequence <= peer.sequence) return false;
    if (peer.sequence != 0 && h.sequence != peer.sequence + 1) {
        say(concat("gap on CPG: node ", h.from, " sent ", h.sequence, " after ", peer.sequence));
        // Whatever was lost, the master's next heartbeat tells whether entries are missing.
        if (h.from == master_) behind_ = {state_.ballot, next(log_.last().index)};
    }
    peer.sequence = h.sequence;
    return true;
}

bool Replica::Impl::admit(const event::Received& e) {
    const Header& h = e.header;
    const Message& m = e.message;
    if (h.from == options_.node) {
        if (h.incarnation == options_.incarnation && e.by_cpg) self_delivered_ = std::max(self_delivered_, h.sequence);
        if (ASSENT_MUTANT(own_message_delivered_here_counts_as_stored_by_all)) {
            for (auto& [node, f] : followers_) f.progress.durable = f.progress.accepted = log_.last().index;
        }
        return false;
    }
    if (!h.from) return drop("no sender", h, m);
    if (h.version < kProtocolMin || h.version > kProtocolMax) return drop("unknown protocol version", h, m);
    Peer& peer = peers_[h.from];
    if (peer.incarnation != h.incarnation) {
        // CPG may bring a message of an earlier life after the side channel brought one of a later.
        bool replaced = std::find(peer.replaced.begin(), peer.replaced.end(), h.incarnation) != peer.replaced.end();
        if (peer.ledger == h.ledger) replaced = h.incarnation < peer.incarnation;
        if (replaced) return drop("replaced incarnation", h, m);
        if (peer.incarnation) peer.replaced.push_back(peer.incarnation);
        if (peer.replaced.size() > 8) peer.replaced.pop_front();
        peer.incarnation = h.incarnation;
        peer.ledger = h.ledger;
        peer.sequence = 0;
        // A restart ends mastership (R1).
        if (role_ == Role::follower && h.from == master_)
            forget_master(concat("master ", master_, " was started again"));
    }
    if (e.by_cpg && !admit_sequence(h)) return drop("seen before", h, m);
    if (h.to && h.to != options_.node) return false;
    if (h.cluster && state_.cluster && h.cluster != state_.cluster) {
        foreign_ = h.from;
        return drop("foreign cluster_id", h, m);
    }
    if (!h.cluster && state_.cluster && !std::holds_alternative<Status>(m)) return drop("no cluster_id", h, m);
    return true;
}

void Replica::Impl::on(event::Received& e) {
    if (!admit(e)) return;
    std::visit([&](auto& m) { handle(e.header, m); }, e.message);
}

// ---- sending

void Replica::Impl::multicast(Message m, PersistSeq after) { send(NodeId(), std::move(m), after); }

void Replica::Impl::send(NodeId to, Message m, PersistSeq after) { held_.push_back({after, to, std::move(m)}); }

void Replica::Impl::release_held() {
    std::deque<Held> later;
    for (Held& h : held_) {
        bool early = ASSENT_MUTANT(vote_not_durable) && std::holds_alternative<Vote>(h.message);
        if (h.after <= durability_.completed() || early) {
            emit(h.to, std::move(h.message));
        } else {
            later.push_back(std::move(h));
        }
    }
    held_ = std::move(later);
}

void Replica::Impl::emit(NodeId to, Message m) {
    bool linked = std::binary_search(links_.begin(), links_.end(), to);
    bool tcp_only = std::holds_alternative<Fetch>(m) || std::holds_alternative<Entries>(m);
    bool by_cpg =
        !to || !linked || std::holds_alternative<Vote>(m) || (options_.ack_by_cpg && std::holds_alternative<Ack>(m));
    if (by_cpg && (tcp_only || members_.empty())) return;
    Outgoing out;
    out.by_cpg = by_cpg;
    out.header.cluster = state_.cluster;
    out.header.from = options_.node;
    out.header.to = to;
    out.header.ledger = state_.ledger;
    out.header.incarnation = options_.incarnation;
    out.header.ring = ring_;
    if (by_cpg) {
        out.header.sequence = ++sent_sequence_;
        multicast_us_ = now();
    }
    out.message = std::move(m);
    update_.messages.push_back(std::move(out));
}

// ---- durable things

void Replica::Impl::append(const EntryPtr& e) {
    log_.append(e);
    appended_.push_back(e);
    note_undecided(e);
    if (e->announced.confirm) decide(e->announced);
    if (e->kind == EntryKind::config)
        say(concat("CONFIG at ", e->position(), ": ", e->config->voters.size(), " voters"));
    if (!options_.accept_at_once && e->kind == EntryKind::write) update_.prepare.push_back(e);
}

void Replica::Impl::truncate(Index from, const std::string& why) {
    ASSENT_ASSERT(from > confirm_);
    say(concat("truncated from ", from, " (last was ", log_.last(), "): ", why));
    for (Index i = from; i <= log_.last().index; i = next(i)) {
        forget_undecided(*log_.entry(i));
    }
    Index unknown_from = ASSENT_MUTANT(verdict_told_to_whoever_waited_at_the_index) ? next(log_.last().index) : from;
    for (auto it = waiting_.lower_bound(unknown_from); it != waiting_.end(); it = waiting_.erase(it)) {
        bool told = ASSENT_MUTANT(withdrawn_write_told_cancelled);
        answer(it->second, told ? AnswerKind::cancelled : AnswerKind::unknown);
        ++writes_unknown_;
    }
    while (!appended_.empty() && appended_.back()->index >= from) appended_.pop_back();
    log_.truncate_from(from);
    durability_.cut(from);
    truncated_from_ = truncated_from_ ? std::min(truncated_from_, from) : from;
    if (!ASSENT_MUTANT(accept_outlives_the_entry)) mark_ = std::min(mark_, prior(from));
    saved_mark_ = std::min(saved_mark_, prior(from));
    if (!ASSENT_MUTANT(opinion_outlives_the_entry)) opinions_.cut(from);
    if (ASSENT_MUTANT(withdraw_not_told_to_the_application)) return;
    std::erase_if(update_.prepare, [from](const EntryPtr& e) { return e->index >= from; });
    update_.withdraw_from = update_.withdraw_from ? std::min(update_.withdraw_from, from) : from;
}

int64_t Replica::Impl::next_deadline() const {
    if (!started_) return kNever;
    int64_t at = kNever;
    auto by = [&at](int64_t t) { at = std::min(at, t); };
    by(next_status_us_);
    if (status_wanted_) by(status_allowed_us_);
    by(stand_at_us_);
    if (role_ == Role::candidate) by(candidate_until_us_);
    if (role_ == Role::follower && master_) by(master_heard_us_ + options_.master_timeout_us);
    if (!pending_requests_.empty()) by(votes_again_us());
    for (const auto& [node, p] : pending_requests_) by(p.until_us);
    if (role_ == Role::master) {
        by(next_heartbeat_us_);
        by(confirm_at_us_);
        by(majority_heard_us_ + options_.master_timeout_us);
        if (handover_) by(handover_->until_us);
    }
    if (fetching_) by(fetch_until_us_);
    by(offer_again_us_);
    if (!queue_.empty()) by(own_overdue_us());
    return std::max(at, now() + 100);
}

}  // namespace assent
