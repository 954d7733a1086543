// R8: heartbeats, leases and linearizable reads.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

namespace {
constexpr size_t kBeatsKept = 64;
constexpr int64_t kRoundSpacingUs = 20'000;  // a read does not begin another round before the last is back, or this old
}  // namespace

// ---- the master asks

void Replica::Impl::send_heartbeats() {
    ++heartbeat_id_;
    // This step's clock was read before any of these is sent.
    beats_.push_back({heartbeat_id_, now_});
    if (beats_.size() > kBeatsKept) beats_.pop_front();
    next_heartbeat_us_ = now() + options_.heartbeat_us;
    Heartbeat beat{state_.ballot, heartbeat_id_, static_cast<uint64_t>(options_.lease_us), log_.last(), announced()};
    if (options_.lease_us > 0 && !sealed_) {
        // A master grants itself as it grants others: it votes for nobody else meanwhile.
        granted_until_us_ = std::max(granted_until_us_, now() + options_.lease_us);
        granted_to_ = options_.node;
        if (state_.longest_lease_us < static_cast<uint64_t>(options_.lease_us)) {
            state_.longest_lease_us = static_cast<uint64_t>(options_.lease_us);
            save_state();
        }
    }
    for (NodeId n : members_) {
        if (n != options_.node) send(n, beat);
    }
    Follower& self = followers_[options_.node];
    self.answered = heartbeat_id_;
    if (options_.lease_us > 0 && ballot_durable() && !sealed_) self.lease_sent = now_;
    if (majority_answered() == heartbeat_id_) majority_heard_us_ = now();  // a voter that is a majority alone
}

void Replica::Impl::handle(const Header& h, const HeartbeatAnswer& a) {
    bool old = a.epoch != state_.ballot && !ASSENT_MUTANT(heartbeat_answer_of_an_older_epoch_counted);
    if (role_ != Role::master || old) return;
    Follower* f = follower(h);
    if (!f || a.id > heartbeat_id_ || a.id <= f->answered) return;
    f->answered = a.id;
    auto beat = std::find_if(beats_.begin(), beats_.end(), [&](const Beat& b) { return b.id == a.id; });
    if (beat == beats_.end()) return;
    if (a.lease_granted) f->lease_sent = ASSENT_MUTANT(lease_counted_from_receipt) ? now_ : beat->sent;
    uint64_t answered = majority_answered();
    auto heard = std::find_if(beats_.begin(), beats_.end(), [&](const Beat& b) { return b.id == answered; });
    if (heard != beats_.end()) majority_heard_us_ = std::max(majority_heard_us_, heard->sent.raw_us);
}

uint64_t Replica::Impl::majority_answered() const {
    return majority_reached<uint64_t>(log_.config(), [this](const Voter& v) -> uint64_t {
        const Follower* f = follower(v);
        return f ? f->answered : 0;
    });
}

// Counted on the unslewed clock and the time in suspend, from before the sending, and for a little less than was granted.
bool Replica::Impl::grant_runs(const Voter& v, Now now) const {
    if (ASSENT_MUTANT(lease_counted_without_a_majority)) return true;
    int64_t length = options_.lease_us * kLeasePercent / 100;
    if (ASSENT_MUTANT(lease_longer_than_granted)) length = options_.lease_us * 3 / 2;
    if (ASSENT_MUTANT(drift_of_clocks_ignored)) length = options_.lease_us;
    const Follower* f = follower(v);
    if (!f || !f->lease_sent) return false;
    if (ASSENT_MUTANT(lease_counted_on_a_clock_that_stops)) return now.raw_us - f->lease_sent->raw_us < length;
    return now.awake_or_not_us() - f->lease_sent->awake_or_not_us() < length;
}

bool Replica::Impl::lease_runs(Now now) const {
    if (role_ != Role::master || options_.lease_us <= 0 || sealed_) return false;
    return is_majority(log_.config(), [&](const Voter& v) { return grant_runs(v, now); });
}

std::vector<Voter> Replica::Impl::lease_voters(Now now) const {
    std::vector<Voter> granted;
    if (!lease_runs(now)) return granted;
    for (const auto* set : {&log_.config().voters, &log_.config().outgoing}) {
        std::copy_if(set->begin(), set->end(), std::back_inserter(granted),
                     [&](const Voter& v) { return grant_runs(v, now); });
    }
    return granted;
}

// ---- the others answer

void Replica::Impl::handle(const Header& h, const Heartbeat& b) {
    if (!follow(h, b.epoch, true)) return;
    bool grant = b.lease_us > 0 && freed_epoch_ != b.epoch && b.lease_us <= 60'000'000;
    if (grant) {
        granted_until_us_ = std::max(granted_until_us_, now() + static_cast<int64_t>(b.lease_us));
        granted_to_ = h.from;
        if (state_.longest_lease_us < b.lease_us && !ASSENT_MUTANT(longest_lease_not_kept)) {
            state_.longest_lease_us = b.lease_us;
            save_state();
        }
    }
    bool early = ASSENT_MUTANT(lease_granted_before_it_is_durable);
    send(h.from, HeartbeatAnswer{b.epoch, b.id, grant}, early ? PersistSeq() : ballot_seq());
    if (log_.has(b.last) || (ASSENT_MUTANT(heartbeat_matched_by_length) && log_.last().index >= b.last.index)) {
        matched_to(b.last.index);
        behind_ = Position();
    } else if (behind_.index && behind_.index <= b.last.index) {
        // Still missing a heartbeat later: CPG will not bring it.
        if (!ASSENT_MUTANT(gap_seen_by_heartbeat_ignored))
            fetch(concat("heartbeat says last ", b.last, ", mine is ", log_.last()));
    } else {
        behind_ = b.last;
    }
    learn(b.verdicts);
    send_ack(true);
}

// ---- reads

// Until the EPOCH entry is confirmed the confirm index may lie below the predecessor's, unless the first undecided entry
// proves that it does not (R6).
bool Replica::Impl::may_read() const {
    if (role_ != Role::master || sealed_) return false;
    if (ASSENT_MUTANT(read_once_the_epoch_entry_is_stored)) return stored_ >= epoch_entry_;
    return confirm_ >= epoch_entry_ || (stored_ >= epoch_entry_ && never_confirmed(next(confirm_)));
}

void Replica::Impl::on(const event::Read& e) {
    if (role_ != Role::master || sealed_) {
        answer(e.token, AnswerKind::not_master);
        return;
    }
    constexpr size_t kMostReads = 65'536;
    if (reads_.size() >= kMostReads) {
        answer(e.token, AnswerKind::busy);
        return;
    }
    uint64_t round = ASSENT_MUTANT(read_joins_a_round_begun_before_it) ? heartbeat_id_ : heartbeat_id_ + 1;
    reads_.push_back(
        {e.token, may_read() ? confirm_ : Index(), round, ASSENT_MUTANT(read_without_proof_of_mastership)});
}

// Lets waiting reads go whose index is fixed, whose master was proven and whose index is applied; begins a round for the
// others. Many reads share a round, and none joins one that was begun before it came.
void Replica::Impl::serve_reads() {
    if (reads_.empty() || !may_read()) return;
    uint64_t answered = majority_answered();
    bool lease = lease_runs(now_);
    bool round_wanted = false;
    std::deque<WaitingRead> later;
    for (WaitingRead& r : reads_) {
        if (!r.index) r.index = confirm_;
        if (!r.proven) r.proven = lease || answered >= r.round;
        if (!r.proven && r.round > heartbeat_id_) round_wanted = true;
        if (r.proven && (applied_ >= r.index || ASSENT_MUTANT(read_before_it_is_applied))) {
            answer(r.token, AnswerKind::read_ready, r.index);
        } else {
            later.push_back(r);
        }
    }
    reads_ = std::move(later);
    if (!round_wanted) return;
    bool back = answered >= heartbeat_id_;
    if (back || beats_.empty() || now() - beats_.back().sent.raw_us >= kRoundSpacingUs) {
        send_heartbeats();
        if (majority_answered() >= heartbeat_id_) serve_reads();
    } else {
        next_heartbeat_us_ = std::min(next_heartbeat_us_, beats_.back().sent.raw_us + kRoundSpacingUs);
    }
}

void Replica::Impl::refuse_reads() {
    for (const WaitingRead& r : reads_) answer(r.token, AnswerKind::not_master);
    reads_.clear();
}

void Replica::Impl::lease_timers() {
    if (role_ != Role::master) return;
    if (now() >= next_heartbeat_us_) send_heartbeats();
    if (now() - majority_heard_us_ >= options_.master_timeout_us) {
        multicast(StepDown{state_.ballot});
        std::string why = concat("no majority answered for ", options_.master_timeout_us / 1000, " ms");
        freed(state_.ballot, why);
    } else if (stored_ < epoch_entry_ && now() - progress_us_ >= options_.master_timeout_us) {
        multicast(StepDown{state_.ballot});
        freed(state_.ballot, "the EPOCH entry could not be stored in time");
    }
}

}  // namespace assent
