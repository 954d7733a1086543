#include "core/durability.h"

#include <algorithm>

#include "core/planted.h"

namespace assent {

void Durability::cut(Index from) {
    Index kept = prior(from);
    durable_ = std::min(durable_, kept);
    mark_ = std::min(mark_, kept);
    if (ASSENT_MUTANT(sync_under_way_counts_for_what_was_truncated)) return;
    for (Pending& p : pending_) {
        p.last = std::min(p.last, kept);
        p.mark = std::min(p.mark, kept);
    }
}

PersistSeq Durability::begin(Index last, Index mark, int64_t now_us) {
    issued_ = PersistSeq(issued_.value + 1);
    pending_.push_back({issued_, last, mark, now_us});
    return issued_;
}

void Durability::complete(PersistSeq upto) {
    while (!pending_.empty() && pending_.front().seq <= upto) {
        durable_ = pending_.front().last;
        mark_ = pending_.front().mark;
        completed_ = pending_.front().seq;
        pending_.pop_front();
    }
}

std::optional<int64_t> Durability::oldest_us() const {
    if (pending_.empty()) return std::nullopt;
    return pending_.front().since_us;
}

}  // namespace assent
