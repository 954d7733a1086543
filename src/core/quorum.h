// Majorities of the recorded voters: more than half of the votes, in the old and in the new set while a CONFIG is joint.
#pragma once

#include <algorithm>
#include <utility>

#include "core/planted.h"
#include "core/types.h"

namespace assent {

namespace detail {

template <typename Has> bool set_majority(const std::vector<Voter>& set, const Has& has) {
    uint64_t all = 0;
    uint64_t with = 0;
    for (const Voter& v : set) {
        all += v.votes;
        if (has(v)) with += v.votes;
    }
    if (ASSENT_MUTANT(half_of_the_votes_elects)) return all != 0 && 2 * with >= all;
    return 2 * with > all;
}

template <typename Value, typename Reached> Value set_reached(const std::vector<Voter>& set, const Reached& reached) {
    std::vector<std::pair<Value, uint32_t>> by_value;
    uint64_t all = 0;
    for (const Voter& v : set) {
        by_value.emplace_back(reached(v), v.votes);
        all += v.votes;
    }
    std::sort(by_value.begin(), by_value.end(), [](const auto& a, const auto& b) { return b.first < a.first; });
    uint64_t with = 0;
    for (const auto& [value, votes] : by_value) {
        with += votes;
        if (2 * with > all || (ASSENT_MUTANT(half_of_the_votes_stores) && 2 * with == all)) return value;
    }
    return Value();
}

}  // namespace detail

// Do the voters for which has(voter) holds make a majority? Never true without voters.
template <typename Has> bool is_majority(const Config& config, const Has& has) {
    if (!detail::set_majority(config.voters, has)) return false;
    return config.outgoing.empty() || detail::set_majority(config.outgoing, has);
}

// The greatest value that a majority has reached, reached(voter) at least.
template <typename Value, typename Reached> Value majority_reached(const Config& config, const Reached& reached) {
    Value value = detail::set_reached<Value>(config.voters, reached);
    if (config.outgoing.empty()) return value;
    return std::min(value, detail::set_reached<Value>(config.outgoing, reached));
}

// The voter with this node id and ledger, or null.
inline const Voter* find_voter(const Config& config, NodeId node, LedgerId ledger) {
    for (const auto* set : {&config.voters, &config.outgoing}) {
        for (const Voter& v : *set) {
            if (v.node == node && v.ledger == ledger) return &v;
        }
    }
    return nullptr;
}

}  // namespace assent
