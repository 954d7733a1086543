#include "daemon/status.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace assent {

namespace {

using Json = nlohmann::ordered_json;

std::string hex(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

std::string ring_text(const RingId& ring) {
    return std::to_string(ring.representative.value) + "." + std::to_string(ring.sequence);
}

const char* application_state(const Progress& p, NodeId self) {
    if (!p.present) return "absent";
    if (!p.application_healthy) return "hung";
    return p.linked || p.node == self ? "healthy" : "no link";
}

// What only the master knows of others is null elsewhere.
Json member(const GroupStatus& s, const Progress& p) {
    const ReplicaView& v = s.view;
    bool known = v.role == Role::master || p.node == s.node;
    Json j;
    j["node"] = p.node.value;
    for (const Node& n : s.cluster.nodes) {
        if (n.id == p.node && !n.name.empty()) j["name"] = n.name;
    }
    j["ledger_id"] = hex(p.ledger.value);
    j["votes"] = p.votes;
    j["present"] = p.present;
    j["durable"] = known ? Json(p.durable.value) : Json();
    j["accepted"] = known ? Json(p.accepted.value) : Json();
    j["lag"] = known ? Json(v.last.index.value - std::min(p.accepted.value, v.last.index.value)) : Json();
    j["application"] = application_state(p, s.node);
    return j;
}

Json members(const GroupStatus& s, bool voters) {
    Json list = Json::array();
    for (const Progress& p : s.view.peers) {
        if (p.voter == voters && (voters || s.view.state.cluster)) list.push_back(member(s, p));
    }
    return list;
}

// Names and reasons may be anything; what is not UTF-8 is shown as U+FFFD.
std::string printed(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

void LatencyWindow::add(const std::vector<int64_t>& latencies_us) {
    for (int64_t l : latencies_us) {
        if (kept_.size() < kKept) {
            kept_.push_back(l);
        } else {
            kept_[next_++ % kKept] = l;
        }
    }
}

uint64_t LatencyWindow::percentile_us(double share) const {
    if (kept_.empty()) return 0;
    std::vector<int64_t> sorted = kept_;
    auto at = sorted.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), at, sorted.end());
    return static_cast<uint64_t>(std::max<int64_t>(*at, 0));
}

std::string state_word(const ReplicaView& v) {
    if (!v.state.cluster || v.members.empty()) return "waiting";
    if (v.role == Role::master) return "master";
    if (v.observer) return "observer";
    return v.role == Role::candidate ? "candidate" : "follower";
}

std::string text_of(const ClusterId& id) { return id ? hex(id.high) + hex(id.low) : std::string(); }

std::string status_json(const GroupStatus& s) {
    const ReplicaView& v = s.view;
    Json j;
    j["schema"] = 1;
    j["group"] = s.group;
    j["cluster_id"] = text_of(v.state.cluster);
    j["node"] = s.node.value;
    j["state"] = state_word(v);
    j["reason"] = v.reason;
    j["quorate"] = v.quorate;
    j["epoch"] = v.state.ballot.value;
    j["master"] = v.master ? Json(v.master.value) : Json();
    j["can_write"] = v.can_write;
    j["can_read"] = v.can_read;
    Json in_view = Json::array();
    for (NodeId n : v.members) in_view.push_back(n.value);
    j["view"] = {{"ring", ring_text(v.ring)}, {"members", in_view}};
    j["index"] = {{"first", s.first.value},   {"last", v.last.index.value},     {"durable", v.durable.value},
                  {"stored", v.stored.value}, {"confirmed", v.confirmed.value}, {"applied", v.applied.value}};
    j["voters"] = members(s, true);
    j["observers"] = members(s, false);
    j["application"] = {{"kind", s.application_kind},
                        {"state", s.application.state},
                        {"reason", s.application.reason},
                        {"applied", v.applied.value},
                        {"durable", s.application.durable.value}};
    j["writes"] = {{"confirmed", v.writes_confirmed},
                   {"cancelled", v.writes_cancelled},
                   {"unknown", s.requests.unknown}};
    j["reads"] = {{"master", s.requests.reads_master},
                  {"forwarded", s.requests.reads_forwarded},
                  {"local", s.requests.reads_local}};
    return printed(j);
}

std::string members_json(const GroupStatus& s) {
    Json j;
    j["schema"] = 1;
    j["group"] = s.group;
    j["cluster_id"] = text_of(s.view.state.cluster);
    j["voters"] = members(s, true);
    j["observers"] = members(s, false);
    return printed(j);
}

StatusKeys status_keys(const GroupStatus& s) {
    const ReplicaView& v = s.view;
    StatusKeys keys;
    auto put = [&](const std::string& key, StatusValue value) { keys[s.group + "." + key] = std::move(value); };
    put("state", state_word(v));
    put("reason", v.reason);
    put("master", v.master.value);
    put("epoch", v.state.ballot.value);
    put("quorate", static_cast<uint8_t>(v.quorate));
    put("can_write", static_cast<uint8_t>(v.can_write));
    put("can_read", static_cast<uint8_t>(v.can_read));
    put("index.last", v.last.index.value);
    put("index.stored", v.stored.value);
    put("index.confirmed", v.confirmed.value);
    put("index.applied", v.applied.value);
    put("writes.confirmed", v.writes_confirmed);
    put("writes.cancelled", v.writes_cancelled);
    put("writes.unknown", s.requests.unknown);
    put("reads.master", s.requests.reads_master);
    put("reads.forwarded", s.requests.reads_forwarded);
    put("reads.local", s.requests.reads_local);
    put("latency.write_p50_us", s.write_p50_us);
    put("latency.write_p99_us", s.write_p99_us);
    put("latency.fsync_p99_us", s.fsync_p99_us);
    put("application.state", s.application.state);
    put("application.reason", s.application.reason);
    for (const Progress& p : v.peers) {
        std::string voter = "voter." + std::to_string(p.node.value) + ".";
        if (!p.voter) continue;
        put(voter + "present", static_cast<uint8_t>(p.present));
        if (v.role != Role::master && p.node != s.node) continue;
        put(voter + "acked", p.accepted.value);
        put(voter + "lag", v.last.index.value - std::min(p.accepted.value, v.last.index.value));
    }
    return keys;
}

}  // namespace assent
