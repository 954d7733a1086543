// The JSON and the cmap keys that design and manual pages promise.
#include "daemon/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace assent {
namespace {

using Json = nlohmann::json;

Progress peer(uint32_t node, bool voter, uint64_t accepted) {
    Progress p;
    p.node = NodeId(node);
    p.ledger = LedgerId(0xab00 + node);
    p.votes = 1;
    p.present = true;
    p.voter = voter;
    p.linked = true;
    p.durable = Index(accepted + 1);
    p.accepted = Index(accepted);
    return p;
}

// Node 1 is master of voters 1, 2, 3; node 4 observes.
GroupStatus sample() {
    GroupStatus s;
    s.group = "kv";
    s.node = NodeId(1);
    s.application_kind = "kv";
    s.first = Index(1);
    s.cluster.nodes = {{NodeId(1), "alpha", {}, 1}, {NodeId(2), "", {}, 1}};
    s.requests = {5, 6, 7, 8};
    s.write_p50_us = 100;
    s.write_p99_us = 200;
    s.fsync_p99_us = 300;
    ReplicaView& v = s.view;
    v.role = Role::master;
    v.quorate = v.can_write = v.can_read = true;
    v.state.cluster = {0x1, 0xabcdef};
    v.state.ballot = Epoch(4);
    v.master = NodeId(1);
    v.ring = {NodeId(1), 88};
    v.members = {NodeId(1), NodeId(2), NodeId(4)};
    v.last = {Epoch(4), Index(50)};
    v.durable = Index(49);
    v.stored = Index(48);
    v.confirmed = Index(47);
    v.applied = Index(46);
    v.writes_confirmed = 30;
    v.writes_cancelled = 2;
    v.peers = {peer(1, true, 50), peer(2, true, 40), peer(3, true, 60), peer(4, false, 10)};
    v.peers[0].linked = false;  // a node has no link to itself
    v.peers[1].application_healthy = false;
    v.peers[2].present = false;
    v.peers[3].linked = false;
    return s;
}

std::vector<std::string> keys_of(const Json& j) {
    std::vector<std::string> keys;
    for (const auto& [k, v] : j.items()) keys.push_back(k);
    return keys;
}

TEST(Status, JsonHasWhatIsPromised) {
    Json j = Json::parse(status_json(sample()));
    EXPECT_EQ(keys_of(j), (std::vector<std::string>{"application", "can_read", "can_write", "cluster_id", "epoch",
                                                    "group", "index", "master", "node", "observers", "quorate", "reads",
                                                    "reason", "schema", "state", "view", "voters", "writes"}));
    EXPECT_EQ(j["schema"], 1);
    EXPECT_EQ(j["group"], "kv");
    EXPECT_EQ(j["cluster_id"], "00000000000000010000000000abcdef");
    EXPECT_EQ(j["node"], 1);
    EXPECT_EQ(j["state"], "master");
    EXPECT_EQ(j["reason"], "");
    EXPECT_EQ(j["quorate"], true);
    EXPECT_EQ(j["epoch"], 4);
    EXPECT_EQ(j["master"], 1);
    EXPECT_EQ(j["view"], Json::parse(R"({"ring":"1.88","members":[1,2,4]})"));
    EXPECT_EQ(j["index"], Json::parse(R"({"first":1,"last":50,"durable":49,"stored":48,"confirmed":47,"applied":46})"));
    EXPECT_EQ(j["application"], Json::parse(R"({"kind":"kv","state":"healthy","reason":"","applied":46,"durable":0})"));
    EXPECT_EQ(j["writes"], Json::parse(R"({"confirmed":30,"cancelled":2,"unknown":8})"));
    EXPECT_EQ(j["reads"], Json::parse(R"({"master":5,"forwarded":6,"local":7})"));
    ASSERT_EQ(j["voters"].size(), 3u);
    EXPECT_EQ(j["voters"][0], Json::parse(R"({"node":1,"name":"alpha","ledger_id":"000000000000ab01","votes":1,
        "present":true,"durable":51,"accepted":50,"lag":0,"application":"healthy"})"));
    EXPECT_EQ(j["voters"][1], Json::parse(R"({"node":2,"ledger_id":"000000000000ab02","votes":1,
        "present":true,"durable":41,"accepted":40,"lag":10,"application":"hung"})"));
    EXPECT_EQ(j["voters"][2]["application"], "absent");
    EXPECT_EQ(j["voters"][2]["lag"], 0);  // ahead of the master, not 2^64 behind
    ASSERT_EQ(j["observers"].size(), 1u);
    EXPECT_EQ(j["observers"][0]["node"], 4);
    EXPECT_EQ(j["observers"][0]["application"], "no link");
}

TEST(Status, WhatOnlyTheMasterKnowsIsNullElsewhere) {
    GroupStatus s = sample();
    s.view.role = Role::follower;
    s.view.master = NodeId();
    s.application = {"hung", "why", Index(7)};
    Json j = Json::parse(status_json(s));
    EXPECT_TRUE(j["master"].is_null());
    EXPECT_EQ(j["application"]["state"], "hung");
    EXPECT_EQ(j["application"]["reason"], "why");
    EXPECT_EQ(j["application"]["durable"], 7);
    EXPECT_EQ(j["voters"][0]["accepted"], 50);  // itself
    for (const char* key : {"durable", "accepted", "lag"}) EXPECT_TRUE(j["voters"][1][key].is_null()) << key;
}

TEST(Status, NoClusterYet) {
    Json j = Json::parse(status_json(GroupStatus()));
    EXPECT_EQ(j["cluster_id"], "");
    EXPECT_EQ(j["state"], "waiting");
    EXPECT_TRUE(j["master"].is_null());
    EXPECT_EQ(j["voters"], Json::array());
    EXPECT_EQ(j["observers"], Json::array());
}

TEST(Status, NamesThatAreNotUtf8DoNoHarm) {
    GroupStatus s = sample();
    s.cluster.nodes[0].name = "m\xfcnchen";
    s.view.reason = "\xff";
    EXPECT_EQ(Json::parse(status_json(s))["voters"][0]["name"], "m\xEF\xBF\xBDnchen");
    EXPECT_EQ(Json::parse(members_json(s))["voters"].size(), 3u);
}

TEST(Status, MembersAlone) {
    Json j = Json::parse(members_json(sample()));
    EXPECT_EQ(keys_of(j), (std::vector<std::string>{"cluster_id", "group", "observers", "schema", "voters"}));
    EXPECT_EQ(j["voters"], Json::parse(status_json(sample()))["voters"]);
}

TEST(Status, StateWords) {
    ReplicaView v = sample().view;
    EXPECT_EQ(state_word(v), "master");
    v.role = Role::follower;
    EXPECT_EQ(state_word(v), "follower");
    v.role = Role::candidate;
    EXPECT_EQ(state_word(v), "candidate");
    v.observer = true;
    EXPECT_EQ(state_word(v), "observer");
    v.members.clear();
    EXPECT_EQ(state_word(v), "waiting");
}

TEST(Status, CmapKeys) {
    StatusKeys keys = status_keys(sample());
    const StatusKeys expected = {
        {"kv.state", "master"},
        {"kv.reason", ""},
        {"kv.master", uint32_t{1}},
        {"kv.epoch", uint64_t{4}},
        {"kv.quorate", uint8_t{1}},
        {"kv.can_write", uint8_t{1}},
        {"kv.can_read", uint8_t{1}},
        {"kv.index.last", uint64_t{50}},
        {"kv.index.stored", uint64_t{48}},
        {"kv.index.confirmed", uint64_t{47}},
        {"kv.index.applied", uint64_t{46}},
        {"kv.writes.confirmed", uint64_t{30}},
        {"kv.writes.cancelled", uint64_t{2}},
        {"kv.writes.unknown", uint64_t{8}},
        {"kv.reads.master", uint64_t{5}},
        {"kv.reads.forwarded", uint64_t{6}},
        {"kv.reads.local", uint64_t{7}},
        {"kv.latency.write_p50_us", uint64_t{100}},
        {"kv.latency.write_p99_us", uint64_t{200}},
        {"kv.latency.fsync_p99_us", uint64_t{300}},
        {"kv.application.state", "healthy"},
        {"kv.application.reason", ""},
        {"kv.voter.1.present", uint8_t{1}},
        {"kv.voter.1.acked", uint64_t{50}},
        {"kv.voter.1.lag", uint64_t{0}},
        {"kv.voter.2.present", uint8_t{1}},
        {"kv.voter.2.acked", uint64_t{40}},
        {"kv.voter.2.lag", uint64_t{10}},
        {"kv.voter.3.present", uint8_t{0}},
        {"kv.voter.3.acked", uint64_t{60}},
        {"kv.voter.3.lag", uint64_t{0}},
    };
    EXPECT_EQ(keys, expected);
}

TEST(Status, FollowersPublishNoProgressOfOthers) {
    GroupStatus s = sample();
    s.node = NodeId(2);
    s.view.role = Role::follower;
    StatusKeys keys = status_keys(s);
    EXPECT_TRUE(keys.contains("kv.voter.1.present"));
    EXPECT_FALSE(keys.contains("kv.voter.1.acked"));
    EXPECT_FALSE(keys.contains("kv.voter.1.lag"));
    EXPECT_TRUE(keys.contains("kv.voter.2.acked"));
}

TEST(LatencyWindow, Percentiles) {
    LatencyWindow w;
    EXPECT_EQ(w.percentile_us(0.99), 0u);
    std::vector<int64_t> hundred;
    for (int64_t i = 100; i >= 1; --i) hundred.push_back(i);
    w.add(hundred);
    EXPECT_EQ(w.percentile_us(0), 1u);
    EXPECT_EQ(w.percentile_us(0.5), 50u);
    EXPECT_EQ(w.percentile_us(0.99), 99u);
    EXPECT_EQ(w.percentile_us(1), 100u);
}

TEST(LatencyWindow, ForgetsTheOldest) {
    LatencyWindow w;
    w.add(std::vector<int64_t>(4'096, 9'000));
    w.add(std::vector<int64_t>(4'095, 1));
    EXPECT_EQ(w.percentile_us(1), 9'000u);
    w.add({1});
    EXPECT_EQ(w.percentile_us(1), 1u);
    w.add({-5});  // a clock gone wrong is no huge number
    EXPECT_EQ(w.percentile_us(0), 0u);
}

}  // namespace
}  // namespace assent
