// The master's side of a write: queue, batches, PROPOSE, and what was asked before (R10).
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

bool Replica::Impl::may_propose() const {
    return role_ == Role::master && !sealed_ && !handover_ && quorate_ && in_view(options_.node);
}

// True if this write's fate is decided or under way: the token is answered, or waits for it.
bool Replica::Impl::decided_already(Token token, const WriteId& id) {
    if (id.client.random == 0) return false;
    auto under_way = undecided_.find(id);
    if (under_way != undecided_.end() && !ASSENT_MUTANT(write_under_way_proposed_again)) {
        waiting_.emplace(under_way->second, token);
        return true;
    }
    if (ASSENT_MUTANT(decided_write_proposed_again)) return false;
    Decided d = clients_.find(id.client, id.sequence);
    switch (d.outcome) {
        case Outcome::none: return false;
        case Outcome::confirmed:
            answer(token, AnswerKind::confirmed, d.index, log_.epoch_at(d.index).value_or(Epoch()));
            break;
        case Outcome::cancelled:
            answer(token, AnswerKind::cancelled, d.index, log_.epoch_at(d.index).value_or(Epoch()));
            break;
        case Outcome::unknown: answer(token, AnswerKind::unknown); break;
    }
    return true;
}

void Replica::Impl::on(event::Submit& e) {
    if (role_ != Role::master || sealed_) {
        answer(e.token, AnswerKind::not_master);
        return;
    }
    if (decided_already(e.token, {e.client, e.sequence})) return;
    if (queue_bytes_ + e.data.size() > options_.queue_bytes) {
        answer(e.token, AnswerKind::busy);
        return;
    }
    queue_bytes_ += e.data.size() + sizeof(Entry);
    queue_.push_back(std::move(e));
}

bool Replica::Impl::queued(const WriteId& id) const {
    return std::any_of(queue_.begin(), queue_.end(),
                       [&](const event::Submit& s) { return s.client == id.client && s.sequence == id.sequence; });
}

// A write that is nowhere gets a CANCEL in its place: a copy still on its way then finds that.
void Replica::Impl::on(const event::AskOutcome& e) {
    WriteId id{e.client, e.sequence};
    if (role_ != Role::master || sealed_) {
        answer(e.token, AnswerKind::not_master);
        return;
    }
    if (!ASSENT_MUTANT(write_cancelled_without_looking_for_it) && decided_already(e.token, id)) return;
    if (!may_propose() || queued(id)) {
        answer(e.token, AnswerKind::not_master);
        return;
    }
    auto entry = std::make_shared<Entry>();
    entry->index = next(log_.last().index);
    entry->epoch = state_.ballot;
    entry->kind = EntryKind::cancel;
    entry->cancel.client = e.client;
    entry->cancel.sequence = e.sequence;
    say(concat("CANCEL at ", entry->index, " for client ", e.client.birth, "-", e.client.random, " sequence ",
               e.sequence, ": asked for its outcome, and nowhere found"));
    waiting_.emplace(entry->index, e.token);
    propose({entry});
}

void Replica::Impl::on(const event::Forget& e) {
    auto queued = std::find_if(queue_.begin(), queue_.end(), [&](const auto& s) { return s.token == e.token; });
    if (queued != queue_.end()) {
        queue_bytes_ -= queued->data.size() + sizeof(Entry);
        queue_.erase(queued);
        answer(e.token, AnswerKind::not_master);
        return;
    }
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
        if (it->second != e.token) continue;
        waiting_.erase(it);
        ++writes_unknown_;
        answer(e.token, AnswerKind::unknown);
        return;
    }
    auto read = std::find_if(reads_.begin(), reads_.end(), [&](const auto& r) { return r.token == e.token; });
    if (read != reads_.end()) {
        reads_.erase(read);
        answer(e.token, AnswerKind::not_master);
    }
}

void Replica::Impl::refuse_queue(AnswerKind kind) {
    for (const event::Submit& s : queue_) answer(s.token, kind);
    queue_.clear();
    queue_bytes_ = 0;
}

std::shared_ptr<Entry> Replica::Impl::make_write(Index index, event::Submit& s) const {
    auto entry = std::make_shared<Entry>();
    entry->index = index;
    entry->epoch = state_.ballot;
    entry->kind = EntryKind::write;
    entry->client = s.client;
    entry->sequence = s.sequence;
    entry->first_unanswered = s.first_unanswered;
    entry->data = std::move(s.data);
    return entry;
}

// What is queued goes out in batches that CPG carries in one piece, few enough of them on their way that sending never
// has to wait. An entry too large for CPG is only announced there; the others fetch it.
void Replica::Impl::propose_queued() {
    uint64_t in_flight = sent_sequence_ - self_delivered_;
    while (!queue_.empty() && may_propose() && in_flight < options_.proposals_in_flight &&
           undecided_bytes() < options_.undecided_bytes) {
        std::vector<std::shared_ptr<Entry>> batch;
        uint64_t bytes = 0;
        while (!queue_.empty()) {
            event::Submit& s = queue_.front();
            uint64_t size = s.data.size() + sizeof(Entry);
            bool fits = bytes + size <= options_.batch_bytes;
            if (!batch.empty() && !fits) break;
            queue_bytes_ -= size;
            bool seen = decided_already(s.token, {s.client, s.sequence});
            if (!seen) {
                Index index(log_.last().index.value + 1 + batch.size());
                if (ASSENT_MUTANT(write_answered_when_proposed)) {
                    answer(s.token, AnswerKind::confirmed, index, state_.ballot);
                } else {
                    waiting_.emplace(index, s.token);
                }
                if (s.client.random != 0) undecided_.try_emplace(WriteId{s.client, s.sequence}, index);
                batch.push_back(make_write(index, s));
                bytes += size;
            }
            queue_.pop_front();
        }
        if (batch.empty()) break;
        propose(batch);
        ++in_flight;
    }
}

void Replica::Impl::propose(const std::vector<std::shared_ptr<Entry>>& batch) {
    Propose p;
    p.epoch = state_.ballot;
    p.previous = log_.last();
    p.verdicts = announced();
    batch.front()->announced = p.verdicts;
    for (const auto& e : batch) append(e);
    bool too_large = batch.size() == 1 && batch.front()->data.size() > options_.cpg_entry_bytes;
    if (!too_large) p.entries.assign(batch.begin(), batch.end());
    p.last = log_.last().index;
    confirm_at_us_ = kNever;
    multicast(std::move(p));
}

}  // namespace assent
