// Are two decoded things the same, field by field?
#pragma once

#include <algorithm>
#include <tuple>

#include "core/message.h"

namespace assent::fuzz {

inline bool same(const Entry& a, const Entry& b) {
    const auto fields = [](const Entry& e) {
        return std::tie(e.index, e.epoch, e.kind, e.client, e.sequence, e.first_unanswered, e.data, e.cancel);
    };
    const bool configs = a.config && b.config ? *a.config == *b.config : a.config == b.config;
    return configs && fields(a) == fields(b);
}

inline bool same(const EntryPtr& a, const EntryPtr& b) { return a && b ? same(*a, *b) : a == b; }

inline bool same(const std::vector<EntryPtr>& a, const std::vector<EntryPtr>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const EntryPtr& x, const EntryPtr& y) { return same(x, y); });
}

inline bool same(const Header& a, const Header& b) {
    const auto fields = [](const Header& h) {
        return std::tie(h.version, h.cluster, h.from, h.to, h.ledger, h.incarnation, h.ring, h.sequence);
    };
    return fields(a) == fields(b);
}

inline auto fields(const Status& m) {
    return std::tie(m.ballot, m.last, m.master_epoch, m.master, m.links, m.application_healthy, m.priority, m.nodelist,
                    m.ledger_empty, m.protocol_min, m.protocol_max, m.answer_wanted);
}
inline auto fields(const VoteRequest& m) { return std::tie(m.epoch, m.last, m.handover); }
inline auto fields(const Vote& m) { return std::tie(m.epoch, m.granted, m.ballot, m.last); }
inline auto fields(const Propose& m) { return std::tie(m.epoch, m.previous, m.last, m.verdicts); }
inline auto fields(const Confirm& m) { return std::tie(m.epoch, m.verdicts); }
inline auto fields(const StepDown& m) { return std::tie(m.epoch); }
inline auto fields(const Transfer& m) { return std::tie(m.epoch, m.target); }
inline auto fields(const Ack& m) { return std::tie(m.epoch, m.durable, m.accepted, m.rejected); }
inline auto fields(const Heartbeat& m) { return std::tie(m.epoch, m.id, m.lease_us, m.last, m.verdicts); }
inline auto fields(const HeartbeatAnswer& m) { return std::tie(m.epoch, m.id, m.lease_granted); }
inline auto fields(const Fetch& m) { return std::tie(m.epoch, m.runs, m.matched, m.last, m.id); }
inline auto fields(const Entries& m) { return std::tie(m.epoch, m.id, m.previous, m.last, m.verdicts); }

inline std::vector<EntryPtr> entries_in(const Message& m) {
    if (const auto* propose = std::get_if<Propose>(&m)) return propose->entries;
    if (const auto* served = std::get_if<Entries>(&m)) return served->entries;
    if (const auto* request = std::get_if<VoteRequest>(&m)) return {request->first_config};
    return {};
}

inline bool same(const Message& a, const Message& b) {
    if (a.index() != b.index() || !same(entries_in(a), entries_in(b))) return false;
    return std::visit([&](const auto& m) { return fields(m) == fields(std::get<std::decay_t<decltype(m)>>(b)); }, a);
}

}  // namespace assent::fuzz
