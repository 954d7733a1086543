// R7: when the master may append CANCEL(i) for a write that applications reject.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

namespace {
constexpr size_t kCancelsAtOnce = 64;
}

// Does this voter's application reject the entry, as far as this master knows?
bool Replica::Impl::rejects(const Voter& v, Index i) const {
    if (v.node == options_.node) {
        return v.ledger == state_.ledger && i <= own_durable() && i > own_accepted() && opinions_.rejected().count(i);
    }
    const Follower* f = follower(v);
    if (!f || f->progress.durable < i || f->progress.accepted >= i) return false;
    return std::any_of(f->rejected.begin(), f->rejected.end(), [i](const Rejection& r) { return r.index == i; });
}

bool Replica::Impl::rejecters_in_the_way(Index i) const {
    return !is_majority(log_.config(), [&](const Voter& v) { return !rejects(v, i); });
}

// Can no earlier master have confirmed it? Surely if it is of this epoch. Else voters have to stand in the way who, as
// they acked in this epoch, have it durable and did not accept it: in every set of voters that may have been counted, those
// of a joint CONFIG each by itself.
bool Replica::Impl::never_confirmed(Index i) const {
    if (log_.epoch_at(i) == state_.ballot || ASSENT_MUTANT(cancel_without_proof)) return true;
    auto may_have = [&](const Voter& v) {
        if (v.node == options_.node) {
            return v.ledger != state_.ledger || own_durable() < i || own_accepted() >= i;
        }
        const Follower* f = follower(v);
        if (ASSENT_MUTANT(cancel_proof_without_durable)) return !f || f->progress.accepted >= i;
        return !f || f->progress.durable < i || f->progress.accepted >= i;
    };
    for (const EntryPtr& e : log_.configs_from(i)) {
        for (const auto* set : {&e->config->voters, &e->config->outgoing}) {
            if (!set->empty() && is_majority(Config{{}, *set, {}}, may_have)) return false;
        }
    }
    return true;
}

std::string Replica::Impl::reason_of(Index i) const {
    auto text = [](NodeId node, const std::string& reason) { return concat("node ", node, ": ", reason); };
    auto own = opinions_.rejected().find(i);
    if (own != opinions_.rejected().end()) return text(options_.node, own->second);
    for (const auto& [node, f] : followers_) {
        for (const Rejection& r : f.rejected) {
            if (r.index == i) return text(node, r.reason);
        }
    }
    return {};
}

// Each of them once: what this ledger has a CANCEL for is never confirmed, and needs no second one.
void Replica::Impl::cancel_rejected() {
    if (!may_propose()) return;
    std::set<Index> rejected;
    for (const auto& [i, reason] : opinions_.rejected()) rejected.insert(i);
    for (const auto& [node, f] : followers_) {
        for (const Rejection& r : f.rejected) rejected.insert(r.index);
    }
    std::vector<std::shared_ptr<Entry>> batch;
    for (Index i : rejected) {
        if (i <= confirm_ || i > log_.last().index || batch.size() >= kCancelsAtOnce) continue;
        if (log_.entry(i)->kind != EntryKind::write || cancels_.count(i)) continue;
        if (!rejecters_in_the_way(i) || !never_confirmed(i)) continue;
        auto entry = std::make_shared<Entry>();
        entry->index = Index(log_.last().index.value + 1 + batch.size());
        entry->epoch = state_.ballot;
        entry->kind = EntryKind::cancel;
        entry->cancel.index = i;
        entry->data = reason_of(i);
        auto [first, last] = waiting_.equal_range(i);
        for (; ASSENT_MUTANT(cancelled_told_before_the_cancel_is_stored) && first != last;
             first = waiting_.erase(first))
            answer(first->second, AnswerKind::cancelled, entry->index);
        say(concat("CANCEL at ", entry->index, " for ", i, ": rejected in the way of a majority; ", entry->data));
        batch.push_back(entry);
    }
    if (!batch.empty()) propose(batch);
}

}  // namespace assent
