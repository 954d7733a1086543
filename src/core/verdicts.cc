// R7: what is known to be decided, and when the application hears of it.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

// A pair of the ballot's master counts once this ledger matches that master up to the stored index: every CANCEL that
// matters lies there. Until then the latest is kept; what lies between, the entries themselves announce.
void Replica::Impl::learn(const VerdictPair& pair) {
    if (!pair.confirm || pair.confirm > pair.stored) return;
    Index reached = ASSENT_MUTANT(verdict_by_length_instead_of_match) ? log_.last().index : matched_;
    if (ASSENT_MUTANT(verdict_before_the_stored_index) && pair.confirm <= matched_)
        return decide({pair.confirm, pair.confirm});
    if (pair.stored <= reached) {
        decide(pair);
    } else {
        pending_pair_ = std::max(pending_pair_, pair);
    }
}

// What an entry announces counts at once: its own master's ledger is this one up to there, and what was stored stays.
void Replica::Impl::decide(const VerdictPair& pair) {
    if (pair.confirm > pair.stored || pair.stored > log_.last().index) return;
    stored_ = std::max(stored_, pair.stored);
    if (pair.confirm <= confirm_) return;
    confirm_ = pair.confirm;
    // While the disk stands still many wait for the same sync: the last one will do.
    constexpr size_t kMostPairs = 1024;
    if (decided_.size() >= kMostPairs) decided_.pop_back();
    decided_.push_back({confirm_, stored_});
}

// The CANCEL that names this entry, if it lies at or below `stored`.
EntryPtr Replica::Impl::cancel_of(Index i, Index stored) const {
    auto named = cancels_.find(i);
    return named != cancels_.end() && named->second->index <= stored ? named->second : nullptr;
}

// Verdicts are given once this ledger is durable up to the stored index they were decided with: the application is never
// ahead of its own ledger, and a restart finds the same CANCELs, those that count and no others.
void Replica::Impl::hand_over() {
    auto durable = [this](const VerdictPair& p) {
        if (ASSENT_MUTANT(verdicts_before_the_own_sync)) return true;
        return p.stored <= durability_.durable();
    };
    while (!decided_.empty() && durable(decided_.front())) {
        VerdictPair pair = decided_.front();
        decided_.pop_front();
        uint64_t before = handed_bytes_;
        while (handed_ < pair.confirm) hand_over(next(handed_), pair.stored);
        handed_stored_ = pair.stored;
        unapplied_.push_back({handed_, before});
    }
    log_.release(handed_);
}

void Replica::Impl::hand_over(Index i, Index stored) {
    Verdict v{log_.entry(i), cancel_of(i, stored)};
    clients_.decide(v);
    forget_undecided(*v.entry);
    cancels_.erase(i);
    const Entry& e = *v.entry;
    bool never = v.cancel || e.kind == EntryKind::cancel;
    if (e.kind == EntryKind::write) ++(v.cancel ? writes_cancelled_ : writes_confirmed_);
    const Entry& by = v.cancel ? *v.cancel : e;
    auto [first, last] = waiting_.equal_range(i);
    for (auto it = first; it != last; ++it) {
        answer(it->second, never ? AnswerKind::cancelled : AnswerKind::confirmed, by.index, by.epoch,
               v.cancel ? by.data : std::string());
    }
    waiting_.erase(first, last);
    handed_ = i;
    handed_bytes_ += weight(e);
    update_.verdicts.push_back(std::move(v));
}

}  // namespace assent
