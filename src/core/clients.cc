#include "core/clients.h"

#include <algorithm>

#include "core/planted.h"

namespace assent {

void ClientTable::decide(const Verdict& verdict) {
    const Entry& entry = *verdict.entry;
    if (entry.kind == EntryKind::write) {
        if (entry.client.random == 0 || forgotten(entry.client)) return;
        Client& client = touch(entry.client, entry.index);
        client.first_unanswered = std::max(client.first_unanswered, entry.first_unanswered);
        Decided decided{Outcome::confirmed, entry.index};
        if (verdict.cancel) decided = {Outcome::cancelled, verdict.cancel->index};
        if (verdict.cancel && ASSENT_MUTANT(outcome_of_a_cancelled_write_not_kept)) return;
        record(client, entry.sequence, decided);
    } else if (entry.kind == EntryKind::cancel && !entry.cancel.index && entry.cancel.client.random != 0) {
        if (forgotten(entry.cancel.client)) return;
        record(touch(entry.cancel.client, entry.index), entry.cancel.sequence, {Outcome::cancelled, entry.index});
    }
}

// Whoever was dropped wrote last at or below the horizon, so a client born after it is new. One that was dropped does not
// come back with a write that was under way then: the table would not know the others' outcomes.
bool ClientTable::forgotten(const ClientId& id) const {
    if (ASSENT_MUTANT(client_that_was_dropped_taken_for_new)) return false;
    return horizon_ && id.birth <= horizon_ && !clients_.count(id);
}

Decided ClientTable::find(const ClientId& id, uint64_t sequence) const {
    auto found = clients_.find(id);
    if (found == clients_.end()) return {forgotten(id) ? Outcome::unknown : Outcome::none, Index()};
    const Client& client = found->second;
    auto outcome = client.outcomes.find(sequence);
    if (outcome != client.outcomes.end()) return outcome->second;
    bool known = sequence < client.first_unanswered && !ASSENT_MUTANT(outcome_not_kept_taken_for_none);
    if (known) return {Outcome::unknown, Index()};
    return {};
}

ClientTable::Client& ClientTable::touch(const ClientId& id, Index now) {
    auto [it, fresh] = clients_.try_emplace(id);
    Client& client = it->second;
    if (fresh) {
        client.age = by_age_.insert(by_age_.end(), id);
    } else {
        by_age_.splice(by_age_.end(), by_age_, client.age);
    }
    client.last_written = now;
    if (fresh && clients_.size() > max_clients_) {
        auto oldest = clients_.find(by_age_.front());
        horizon_ = std::max(horizon_, oldest->second.last_written);
        clients_.erase(oldest);
        by_age_.pop_front();
    }
    return client;
}

void ClientTable::record(Client& client, uint64_t sequence, Decided decided) {
    if (sequence >= client.first_unanswered) client.outcomes.try_emplace(sequence, decided);
    while (client.outcomes.size() > max_outcomes_) {
        client.first_unanswered = std::max(client.first_unanswered, client.outcomes.begin()->first + 1);
        client.outcomes.erase(client.outcomes.begin());
    }
    client.outcomes.erase(client.outcomes.begin(), client.outcomes.lower_bound(client.first_unanswered));
}

uint64_t ClientTable::digest() const {
    uint64_t sum = horizon_.value;
    auto mix = [&sum](uint64_t v) { sum = (sum ^ v) * 0x100000001b3ULL; };
    for (const ClientId& id : by_age_) {
        const Client& client = clients_.at(id);
        mix(id.birth.value);
        mix(id.random);
        mix(client.first_unanswered);
        for (const auto& [sequence, decided] : client.outcomes) {
            mix(sequence);
            mix(static_cast<uint64_t>(decided.outcome));
            mix(decided.index.value);
        }
    }
    return sum;
}

}  // namespace assent
