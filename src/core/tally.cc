// R4 to R7: what is durable and accepted here, what this node says of it, and what the master concludes.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

// ---- here

// Moves the accept mark over what needs no answer and what the application took, in order (R5).
void Replica::Impl::advance_mark() {
    uint64_t unapplied = log_.bytes_above(applied_) - log_.bytes_above(handed_);
    bool healthy = app_healthy_ || ASSENT_MUTANT(application_that_hangs_accepts);
    bool takes_all = options_.accept_at_once && healthy && unapplied <= options_.tail_bytes;
    if (takes_all) {
        mark_ = log_.last().index;
        return;
    }
    while (mark_ < log_.last().index) {
        Index i = next(mark_);
        EntryPtr e = log_.entry(i);
        bool taken = !e || e->kind != EntryKind::write || i <= applied_ || i <= app_accepted_;
        if (ASSENT_MUTANT(accepts_without_asking)) taken = true;
        if (!taken) return;
        mark_ = i;
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
    Acked now_acked{state_.ballot, own_durable(), own_accepted()};
    if (!always && now_acked == acked_) return;
    acked_ = now_acked;
    send(master_, Ack{state_.ballot, now_acked.durable, now_acked.accepted, {}});
}

// ---- the master

Progress* Replica::Impl::progress_of(const Header& h) {
    constexpr size_t kMostFollowers = 256;
    if (followers_.size() >= kMostFollowers && !followers_.count(h.from)) return nullptr;
    Follower& f = followers_[h.from];
    if (f.progress.node != h.from || f.progress.ledger != h.ledger) {
        f = Follower();
        f.progress.node = h.from;
        f.progress.ledger = h.ledger;
    }
    return &f.progress;
}

void Replica::Impl::handle(const Header& h, const Ack& a) {
    bool old = a.epoch != state_.ballot && !ASSENT_MUTANT(ack_of_an_older_epoch_counted);
    if (role_ != Role::master || old) return;
    Progress* p = progress_of(h);
    if (!p || a.durable > log_.last().index || a.accepted > a.durable) return;
    p->durable = std::max(p->durable, a.durable);
    p->accepted = std::max(p->accepted, a.accepted);
}

// Moves the stored index over entries of this epoch that a majority has durable, and the confirm index behind it.
void Replica::Impl::tally() {
    auto reached = [this](const Voter& v, Index Progress::*what, Index own) {
        if (v.node == options_.node) return v.ledger == state_.ledger ? own : Index();
        auto f = followers_.find(v.node);
        if (f == followers_.end()) return Index();
        if (f->second.progress.ledger != v.ledger && !ASSENT_MUTANT(ack_of_a_wiped_disk_counted)) return Index();
        return f->second.progress.*what;
    };
    const Config& config = log_.config();
    Index stored =
        majority_reached<Index>(config, [&](const Voter& v) { return reached(v, &Progress::durable, own_durable()); });
    // An older epoch's entry is never counted (R6).
    if (stored < epoch_entry_ && !ASSENT_MUTANT(entry_of_an_older_epoch_confirmed_by_count)) return;
    stored_ = std::max(stored_, stored);
    if (sealed_) return;
    Index accepted = majority_reached<Index>(config, [&](const Voter& v) {
        return reached(v, &Progress::accepted, own_accepted());
    });
    if (ASSENT_MUTANT(confirms_what_is_only_stored)) accepted = stored_;
    Index upto = std::max(confirm_, std::min(accepted, stored_));
    while (upto < stored_ && log_.entry(next(upto))->kind != EntryKind::write) upto = next(upto);
    if (upto <= confirm_) return;
    if (confirm_ < epoch_entry_ && upto >= epoch_entry_) say(concat("epoch ", state_.ballot, " confirmed at ", upto));
    confirm_to(upto);
    confirm_at_us_ = std::min(confirm_at_us_, now() + options_.confirm_delay_us);
}

VerdictPair Replica::Impl::announced() const {
    bool early = stored_ < epoch_entry_ && !ASSENT_MUTANT(indexes_announced_before_the_epoch_entry_is_stored);
    if (role_ != Role::master || early) return {};
    return {confirm_, stored_};
}

// ---- verdicts

void Replica::Impl::confirm_to(Index upto) {
    ASSENT_ASSERT(upto <= log_.last().index);
    confirm_ = std::max(confirm_, upto);
}

// A pair counts once this ledger matches the master up to its stored index; until then the first and the latest are kept.
void Replica::Impl::learn(const VerdictPair& pair) {
    if (!pair.confirm || pair.confirm > pair.stored) return;
    pair_heard_ = true;
    if (pair.stored <= matched_) {  // the two kept may wait for more
        stored_ = std::max(stored_, pair.stored);
        confirm_to(pair.confirm);
        return;
    }
    if (!latest_pair_ || *latest_pair_ < pair) latest_pair_ = pair;
    if (!first_pair_) first_pair_ = pair;
    use_pairs();
}

void Replica::Impl::use_pairs() {
    auto use = [this](std::optional<VerdictPair>& pair) {
        Index reached = ASSENT_MUTANT(verdict_by_length_instead_of_match) ? log_.last().index : matched_;
        if (ASSENT_MUTANT(verdict_before_the_stored_index) && pair && pair->confirm <= matched_) reached = pair->stored;
        if (!pair || pair->stored > reached) return;
        stored_ = std::max(stored_, pair->stored);
        confirm_to(pair->confirm);
        pair.reset();
    };
    use(latest_pair_);
    // No room to reach it: as ENTRIES would, take the lower pair that fits what matches. (While a CANCEL never names an
    // index, all entries up to there have the same verdict.)
    if (latest_pair_ && matched_ == log_.last().index && tail_full()) {
        stored_ = std::max(stored_, matched_);
        confirm_to(std::min(latest_pair_->confirm, matched_));
    }
    if (!latest_pair_) first_pair_.reset();
    use(first_pair_);
    if (!first_pair_) first_pair_ = latest_pair_;
}

// The application gets what is confirmed and durable here, in index order: so it is never ahead of its own ledger.
void Replica::Impl::hand_over() {
    Index upto = std::min(confirm_, durability_.durable());
    if (ASSENT_MUTANT(verdicts_before_the_own_sync)) upto = confirm_;
    while (handed_ < upto) {
        Index i = next(handed_);
        EntryPtr e = log_.entry(i);
        clients_.decide(*e);
        forget_undecided(*e);
        if (e->kind == EntryKind::write) ++writes_confirmed_;
        bool cancel = e->kind == EntryKind::cancel;
        auto [first, last] = waiting_.equal_range(i);
        for (auto it = first; it != last; ++it) {
            answer(it->second, cancel ? AnswerKind::cancelled : AnswerKind::confirmed, i, e->epoch);
        }
        waiting_.erase(first, last);
        handed_ = i;
        update_.confirmed.push_back(std::move(e));
    }
}

}  // namespace assent
