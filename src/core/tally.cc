// R4 to R7: what is durable and accepted here, what this node says of it, and what the master counts.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

// ---- here

// Moves the accept mark over what needs no answer and what the application took, in order (R5).
void Replica::Impl::advance_mark() {
    bool healthy = app_healthy_ || ASSENT_MUTANT(application_that_hangs_accepts);
    bool takes_all = options_.accept_at_once && healthy && unapplied_bytes() <= options_.tail_bytes;
    if (takes_all) {
        mark_ = log_.last().index;
        return;
    }
    mark_ = std::max(mark_, applied_);
    // What is decided and not applied yet holds up all that follows.
    while (mark_ >= handed_ && mark_ < log_.last().index) {
        Index i = next(mark_);
        bool cancelled = i <= confirm_ && cancel_of(i, stored_);
        if (log_.entry(i)->kind == EntryKind::write && !cancelled && !opinions_.accepted(i) &&
            !ASSENT_MUTANT(accepts_without_asking))
            break;
        mark_ = i;
    }
    opinions_.forget_accepted(mark_);
    opinions_.forget_rejected(std::max(mark_, confirm_));
}

// What was asked before, and is not durably accepted, is asked anew.
void Replica::Impl::ask_application() {
    if (options_.accept_at_once) return;
    for (Index i = next(std::max(mark_, handed_)); i <= log_.last().index; i = next(i)) {
        if (EntryPtr e = log_.entry(i); e->kind == EntryKind::write) update_.prepare.push_back(e);
    }
}

void Replica::Impl::offer_again() {
    if (now() < offer_again_us_) return;
    offer_again_us_ = opinions_.rejected().empty() ? kNever : now() + options_.master_timeout_us;
    for (const auto& [i, reason] : opinions_.rejected()) {
        if (EntryPtr e = log_.entry(i)) update_.prepare.push_back(e);
    }
}

Index Replica::Impl::own_durable() const {
    if (ASSENT_MUTANT(ack_before_sync) && role_ != Role::master) return std::min(log_.last().index, matched_);
    if (ASSENT_MUTANT(master_counts_itself_before_its_sync) && role_ == Role::master) return log_.last().index;
    if (ASSENT_MUTANT(acks_what_does_not_match)) return durability_.durable();
    return role_ == Role::master ? durability_.durable() : std::min(durability_.durable(), matched_);
}

Index Replica::Impl::own_accepted() const {
    if (ASSENT_MUTANT(accepted_beyond_durable)) return log_.last().index;
    return std::min(ASSENT_MUTANT(accept_mark_not_durable) ? mark_ : durability_.mark(), own_durable());
}

// Speaks only of what matches the ballot's master, and only once the ballot itself is durable.
void Replica::Impl::send_ack(bool always) {
    if (role_ != Role::follower || !master_ || !matched_) return;
    if (!ballot_durable() && !ASSENT_MUTANT(ack_before_the_ballot_is_durable)) return;
    Acked now_acked{state_.ballot, own_durable(), own_accepted(), rejections()};
    if (!always && now_acked == acked_) return;
    acked_ = std::move(now_acked);
    send(master_, Ack{state_.ballot, acked_.durable, acked_.accepted, acked_.rejected});
}

// Only of what is durable here and matches: the master concludes from a rejection that nobody confirmed (R7).
std::vector<Rejection> Replica::Impl::rejections() const {
    std::vector<Rejection> all;
    for (const auto& [index, reason] : opinions_.rejected()) {
        if (index > own_durable() || all.size() >= kMaxRejections) break;
        if (index > own_accepted()) all.push_back({index, reason});
    }
    return all;
}

// ---- the master

Replica::Impl::Follower* Replica::Impl::follower(const Header& h) {
    constexpr size_t kMostFollowers = 256;
    if (followers_.size() >= kMostFollowers && !followers_.count(h.from)) return nullptr;
    Follower& f = followers_[h.from];
    if (f.progress.node != h.from || f.progress.ledger != h.ledger) {
        f = Follower();
        f.progress.node = h.from;
        f.progress.ledger = h.ledger;
    }
    return &f;
}

// What is known of a voter; null: nothing with its ledger.
const Replica::Impl::Follower* Replica::Impl::follower(const Voter& v) const {
    auto f = followers_.find(v.node);
    if (f == followers_.end()) return nullptr;
    LedgerId ledger = v.node == options_.node ? state_.ledger : f->second.progress.ledger;
    bool same = ledger == v.ledger || ASSENT_MUTANT(ack_of_a_wiped_disk_counted);
    return same ? &f->second : nullptr;
}

void Replica::Impl::handle(const Header& h, const Ack& a) {
    bool old = a.epoch != state_.ballot && !ASSENT_MUTANT(ack_of_an_older_epoch_counted);
    if (role_ != Role::master || old) return;
    Follower* f = follower(h);
    if (!f || a.durable > log_.last().index || a.accepted > a.durable) return;
    Progress& p = f->progress;
    if (a.durable > p.durable && find_voter(log_.config(), h.from, h.ledger)) progress_us_ = now();
    p.durable = std::max(p.durable, a.durable);
    p.accepted = std::max(p.accepted, a.accepted);
    f->rejected = a.rejected;
}

// Moves the stored index over entries of this epoch that a majority has durable, and the confirm index behind it.
void Replica::Impl::tally() {
    auto reached = [this](Index Progress::*what, Index own) {
        return majority_reached<Index>(log_.config(), [&, own](const Voter& v) {
            if (v.node == options_.node) return v.ledger == state_.ledger ? own : Index();
            const Follower* f = follower(v);
            return f ? f->progress.*what : Index();
        });
    };
    Index stored = reached(&Progress::durable, own_durable());
    // An older epoch's entry is never counted (R6).
    if (stored < epoch_entry_ && !ASSENT_MUTANT(entry_of_an_older_epoch_confirmed_by_count)) return;
    stored_ = std::max(stored_, stored);
    if (sealed_) return;
    Index accepted = reached(&Progress::accepted, own_accepted());
    move_confirm(ASSENT_MUTANT(confirms_what_is_only_stored) ? stored_ : accepted);
}

void Replica::Impl::move_confirm(Index accepted) {
    Index upto = confirm_;
    bool cancels = false;
    for (Index i = next(upto); i <= stored_; i = next(i)) {
        if (log_.entry(i)->kind == EntryKind::write) {
            auto named = cancels_.find(i);
            bool plain = named == cancels_.end() || (ASSENT_MUTANT(write_with_a_cancel_confirmed) && i <= accepted);
            bool stored =
                ASSENT_MUTANT(confirm_index_passes_a_cancel_not_stored) || plain || named->second->index <= stored_;
            if ((plain && i > accepted) || !stored) break;
            cancels |= named != cancels_.end();
        }
        upto = i;
    }
    if (upto <= confirm_) return;
    if (confirm_ < epoch_entry_ && upto >= epoch_entry_) say(concat("epoch ", state_.ballot, " confirmed at ", upto));
    decide({upto, stored_});
    // Those that rejected go on only when they hear of it.
    confirm_at_us_ = std::min(confirm_at_us_, now() + (cancels ? 0 : options_.confirm_delay_us));
}

VerdictPair Replica::Impl::announced() const {
    bool early = stored_ < epoch_entry_ && !ASSENT_MUTANT(indexes_announced_before_the_epoch_entry_is_stored);
    if (role_ != Role::master || early) return {};
    return {confirm_, stored_};
}

}  // namespace assent
