// Writes what the fuzz targets begin with, made by the encoders of the product: make_seeds FOLDER
// makes FOLDER/TARGET/NUMBER. The corpus in tests/fuzz/corpus is that, and what the fuzzer found, minimised
// (make fuzz-merge).
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "app/kv/kv_requests.h"
#include "base/crc32c.h"
#include "core/message.h"
#include "ctl/options.h"
#include "ctl/snapshot_file.h"
#include "fuzz/input.h"
#include "ledger/format.h"
#include "net/frames.h"
#include "net/links.h"
#include "proto/client.pb.h"
#include "proto/kv.pb.h"
#include "proto/peer.pb.h"
#include "wire/entry_codec.h"
#include "wire/message_codec.h"

namespace {

using namespace assent;
using fuzz::put_number;
using fuzz::put_piece;

using Seeds = std::map<std::string, std::vector<std::string>>;  // by target

std::string framed(const std::string& payload) { return net::frame_length(payload.size()) + payload; }

std::string pieces(std::initializer_list<std::string> all) {
    std::string input;
    for (const std::string& piece : all) put_piece(piece, input);
    return input;
}

EntryPtr entry(uint64_t index, EntryKind kind) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(3);
    e.kind = kind;
    if (kind == EntryKind::write) {
        e.client = {Index(2), 77};
        e.sequence = 5;
        e.first_unanswered = 4;
        e.data = kv::encode_put("key", "value");
    }
    if (kind == EntryKind::config)
        e.config =
            std::make_shared<Config>(Config{{1, 2}, {{NodeId(1), LedgerId(3), 1}}, {{NodeId(2), LedgerId(4), 0}}});
    if (kind == EntryKind::cancel) e.cancel = {Index(6), {Index(2), 77}, 5};
    return std::make_shared<Entry>(std::move(e));
}

const EntryKind kKinds[] = {EntryKind::write, EntryKind::epoch, EntryKind::config, EntryKind::cancel};

std::vector<Message> messages() {
    const Position last{Epoch(3), Index(9)};
    Status status;
    status.last = last;
    status.links = {NodeId(2), NodeId(300)};
    status.nodelist = {{NodeId(1), 1}, {NodeId(2), 1}};
    return {status,
            VoteRequest{Epoch(4), last, false, entry(1, EntryKind::config)},
            Vote{Epoch(4), true, Epoch(4), last},
            Propose{Epoch(3), last, {entry(10, EntryKind::write), entry(11, EntryKind::cancel)}, Index(11), {}},
            Confirm{Epoch(3), {Index(8), Index(9)}},
            StepDown{Epoch(3)},
            Transfer{Epoch(3), NodeId(2)},
            Ack{Epoch(3), Index(9), Index(8), {{Index(9), "no room"}}},
            Heartbeat{Epoch(3), 7, 300'000, last, {Index(8), Index(9)}},
            HeartbeatAnswer{Epoch(3), 7, true},
            Fetch{Epoch(3), {{Epoch(3), Index(5)}, {Epoch(1), Index(1)}}, last, last, 6},
            Entries{Epoch(3), 6, last, {entry(10, EntryKind::epoch)}, last, {}}};
}

std::string encoded(const Message& message) {
    Header header;
    header.cluster = {1, 2};
    header.from = NodeId(2);
    header.ledger = LedgerId(3);
    header.incarnation = Incarnation(4);
    header.ring = {NodeId(1), 8};
    header.sequence = 1;
    return wire::encode_message("kv", header, message);
}

void wire_seeds(Seeds& seeds) {
    for (const EntryKind kind : kKinds) {
        std::string bytes;
        wire::encode_entry(*entry(7, kind), bytes);
        seeds["fuzz_entry"].push_back(bytes);
    }
    const std::string ping = framed(std::string(1, char(net::FrameKind::ping)));
    std::string session = ping;
    for (const Message& message : messages()) {
        const std::string bytes = encoded(message);
        seeds["fuzz_message"].push_back(bytes.substr(8));  // the target puts magic and checksum before it
        session += framed(char(net::FrameKind::message) + bytes);
    }
    seeds["fuzz_message"].push_back(encoded(messages()[0]));
    pb::Forwarded forwarded;
    forwarded.set_group("kv");
    forwarded.set_key(3);
    forwarded.set_request("request");
    session += framed(char(net::FrameKind::forward) + forwarded.SerializeAsString());
    pb::LinkHello refusal;
    refusal.set_refusal("no");
    const std::string refused = framed(char(net::FrameKind::hello) + refusal.SerializeAsString());
    const std::string pong = framed(std::string(1, char(net::FrameKind::pong)));
    for (const char step : {'\0', '\6', '\377'}) seeds["fuzz_frames"].push_back(step + session);
    seeds["fuzz_frames"].push_back(std::string("\0\1\0\0\0x\377\377\377\377x", 11));
    seeds["fuzz_link"] = {'\2' + session, '\0' + session, '\3' + pong + pong, '\1' + refused, '\2' + refused};
}

pb::Request request(uint64_t id) {
    pb::Request r;
    r.set_id(id);
    r.set_group("kv");
    r.mutable_client()->set_birth(3);
    r.mutable_client()->set_random(77);
    return r;
}

std::vector<pb::Request> requests() {
    std::vector<pb::Request> all(8, request(1));
    for (size_t i = 0; i < all.size(); ++i) all[i].set_id(i + 1);
    all[0].set_sequence(1);
    all[0].mutable_write()->set_data(kv::encode_put("key", "value"));
    all[1].mutable_read()->set_query(kv::encode_get("key"));
    all[2].mutable_read()->set_level(pb::LEVEL_APPLIED_AFTER);
    all[2].mutable_read()->set_index(12);
    *all[3].mutable_outcome()->mutable_client() = all[3].client();
    all[3].mutable_outcome()->set_sequence(1);
    all[4].mutable_status();
    all[5].mutable_move_master()->set_node(2);
    all[6].mutable_members();
    all[7].mutable_identity();
    return all;
}

pb::Reply reply(pb::Code code, const std::string& result, const std::string& json = "") {
    pb::Reply r;
    r.set_id(1);
    r.set_code(code);
    r.set_reason(code == pb::DONE ? "" : "a reason");
    r.set_index(12);
    r.set_epoch(3);
    r.mutable_client()->set_birth(3);
    r.mutable_client()->set_random(77);
    r.set_sequence(1);
    r.set_result(result);
    r.set_json(json);
    return r;
}

void request_seeds(Seeds& seeds) {
    std::string session(1, '\1');
    for (const pb::Request& r : requests()) {
        pb::ClientFrame frame;
        *frame.mutable_request() = r;
        session += framed(frame.SerializeAsString());
        pb::Forwarded forwarded;
        forwarded.set_group("kv");
        forwarded.set_request(r.SerializeAsString());
        // Comes, and is answered: by the core, then by the application or by its index being applied.
        std::string input;
        input += '\0';
        put_piece(r.SerializeAsString(), input);
        input += std::string{'\2', '\0', '\14', '\1', '\3', '\1'};
        put_piece("result", input);
        input += '\51';  // applied: two more
        seeds["fuzz_requests"].push_back(input);
        // Forwarded by another node; and forwarded by this one, to node 2.
        input.assign(1, '\1');
        put_piece(forwarded.SerializeAsString(), input);
        input += std::string{'\2', '\6', '\0', '\0', '\32', '\0'};
        put_piece(r.SerializeAsString(), input);
        input += '\4';
        put_piece(reply(pb::BUSY, "").SerializeAsString(), input);
        seeds["fuzz_requests"].push_back(input);
    }
    seeds["fuzz_client"] = {session, std::string(session).replace(0, 1, 1, '\0')};
}

void reply_seeds(Seeds& seeds) {
    std::string session(1, '\1');
    for (const pb::Code code : {pb::DONE, pb::UNKNOWN, pb::BUSY}) {
        pb::ServerFrame frame;
        *frame.mutable_reply() = reply(code, "result");
        frame.mutable_reply()->set_id(uint64_t(code) % 3 + 1);
        session += framed(frame.SerializeAsString());
    }
    seeds["fuzz_reply"].push_back(session);
    pb::ServerFrame hello;
    hello.mutable_hello()->set_code(pb::NOT_PERMITTED);
    hello.mutable_hello()->set_reason("no");
    seeds["fuzz_reply"].push_back('\0' + framed(hello.SerializeAsString()));
    pb::ServerFrame last;
    *last.mutable_reply() = reply(pb::OTHER_ERROR, "");
    last.mutable_reply()->set_id(0);
    seeds["fuzz_reply"].push_back('\1' + framed(last.SerializeAsString()));
}

// A status as assentd makes it, but shorter.
constexpr const char* kStatus =
    R"({"schema":1,"node":1,"group":"kv","state":"member","role":"master","master":1,"epoch":3,"can_write":true,)"
    R"("can_read":true,"reason":"","quorate":true,"cluster_id":"00","index":{"last":9,"stored":9,"confirmed":9},)"
    R"("reads":{"master":1,"forwarded":0,"local":2},"voters":[{"node":1,"votes":1,"present":true,"durable":9}],)"
    R"("observers":[{"node":4,"present":false}]})";

void ctl_seeds(Seeds& seeds) {
    pb::KvAnswer answer;
    answer.set_index(12);
    answer.set_value("value");
    pb::KvPair* pair = answer.add_entries();
    pair->set_key("key");
    pair->set_value("v\n\x80");
    answer.set_more(true);
    pb::KvResult failed;
    failed.set_status(pb::KV_COMPARE_FAILED);
    failed.set_current("other");
    const std::string results[] = {answer.SerializeAsString(), failed.SerializeAsString(), ""};
    for (char verb = 0; verb < 12; ++verb) {
        const bool of_status =
            verb == char(ctl::Verb::status) || verb == char(ctl::Verb::master) || verb == char(ctl::Verb::members);
        for (const char flags : {'\0', '\1', '\111'}) {
            std::string input{verb, flags};
            input += pieces({"key", "value", "12-89abcdef01234567", "in"});
            if (of_status) put_piece(reply(pb::DONE, "", kStatus).SerializeAsString(), input);
            for (const std::string& result : results)
                if (!of_status) put_piece(reply(pb::DONE, result).SerializeAsString(), input);
            seeds["fuzz_ctl"].push_back(input);
        }
    }
    std::string doubtful{'\1', '\0'};
    doubtful += pieces({"key", "value", "", ""});
    for (const pb::Code code : {pb::DONE, pb::UNKNOWN, pb::NO_MASTER, pb::CANCELLED})
        put_piece(reply(code, "").SerializeAsString(), doubtful);
    seeds["fuzz_ctl"].push_back(doubtful);
    seeds["fuzz_kv"] = {results[0],
                        results[1],
                        kv::encode_put("key", "value"),
                        kv::encode_del("key"),
                        kv::encode_cas("key", "old", "new"),
                        kv::encode_cas("key", {}, "new"),
                        kv::encode_cas("key", "old", {})};
    std::string operations;
    for (const char what : {'\2', '\22', '\32', '\12', '\42'}) {  // put, cas, create, del, cas to nothing
        operations += std::string{what, '\0'};
        put_piece("value", operations);
        if (what == '\22') put_piece("new", operations);
        operations += std::string{'\54', '\0'};  // get, after what was collected
        put_piece("", operations);
        seeds["fuzz_kv_store"].push_back(operations);
    }
    std::string raw;
    for (const std::string& query : {kv::encode_put("k", "v"), kv::encode_get("k"), kv::encode_scan("k", 2, "ka")}) {
        raw += '\7';
        put_piece(query, raw);
    }
    seeds["fuzz_kv_store"].push_back(raw);
}

constexpr const char* kConf =
    "totem {\n    version: 2\n}\nassent {\n    groups: kv orders\n    port: 5500\n    listen: 10.0.0.1\n"
    "    max_write_bytes: 1M\n    ack_path: cpg\n    tls: off\n    # a comment\n    orders {\n        user: shop\n"
    "        priority: 10\n    }\n}\n";

void config_seeds(Seeds& seeds) {
    seeds["fuzz_config"] = {kConf, "assent {\n lease_ms: 0\n heartbeat_ms: 50\n master_timeout_ms: 1000\n}\n",
                            "assent {\n client_port: 5407\n leese_ms: 1\n}\n"};
    seeds["fuzz_cmap"] = {
        pieces({"node.0.nodeid", "1", "node.0.ring0_addr", "10.0.0.1", "node.0.name", "a", "node.1.nodeid", "2",
                "node.1.quorum_votes", "3", "node.1.ring1_addr", "::1", "local_node_pos", "1"}),
        pieces({"groups", "kv orders", "orders.priority", "5", "orders.user", "shop", "lease_ms", "300"}),
        pieces({"ledger_quota_bytes", "16M", "old.priority", "3", "portt", "1"})};
}

void ledger_seeds(Seeds& seeds) {
    std::string changes;
    for (const auto& [what, at] : {std::pair{'\5', 40}, {'\6', 600}, {'\72', 2000}, {'\16', 3}, {'\113', 520}}) {
        std::string change{what};
        put_number(uint64_t(at), 2, change);
        put_piece("bytes", change);
        seeds["fuzz_ledger"].push_back(change);
        changes += change;
    }
    seeds["fuzz_ledger"].push_back(changes);
    const auto record = [](ledger::RecordKind kind, char twist, char flags, char step, char epoch,
                           const std::string& payload) {
        std::string input{char(kind), twist, flags, step, epoch};
        put_piece(payload, input);
        return input;
    };
    using ledger::RecordKind;
    std::string records;
    for (const char twist : {'\0', '\10', '\4', '\1', '\2', '\40'}) {
        records += record(RecordKind::entry, 0, 1, 0, 1, "data") + record(RecordKind::mark, 0, 0, '\xff', 0, "") +
                   record(RecordKind::entry, twist, 0, 0, 0, "more") +
                   record(RecordKind::truncate, 0, 0, '\xff', 0, "");
        seeds["fuzz_records"].push_back(records + record(RecordKind::close, 0, 0, 0, 0, ""));
        records += record(RecordKind::end, 0, 0, '\xff', 0, "");
    }
    ledger::StateBlock state;
    state.sequence = 4;
    state.state.node = NodeId(1);
    state.last_segment = 2;
    std::string newer = ledger::encode_state(state);
    newer[8] = 2;
    for (const std::string& other : {newer, std::string("short")}) {
        std::string input(1, '\0');
        put_piece(ledger::encode_state(state), input);
        input += '\1';
        put_piece(other, input);
        input += '\0';
        put_piece(ledger::encode_segment({LedgerId(42), 1, 4096}), input);
        seeds["fuzz_ballot"].push_back(input);
    }
}

// Steps of fuzz_attached; the numbers are its.
void attached_seeds(Seeds& seeds) {
    const std::string attach{'\11', '\6', '\0'};  // understands digests and snapshots, empty store
    const std::string joined{'\22'};
    const std::string flush{'\23'};
    std::string writes;
    for (const char kind : {'\50', '\0', '\24', '\50'}) {  // a write, an EPOCH, one that is cancelled, a write
        writes += kind;
        put_piece("data", writes);
    }
    const std::string accept{'\14', '\0'}, applied{'\14', '\3', '\0', '\0', '\0'};
    const std::string begin = joined + writes + attach + flush;
    auto& all = seeds["fuzz_attached"];
    all.push_back(begin + '\2' + flush + accept + accept + flush + '\77' + flush + applied + flush);
    all.push_back(begin + '\2' + flush + std::string{'\14', '\2', '\2', '\0', 'n', 'o'} + flush + '\5' + '\0' + flush);
    // A query with its answer, a Ping, a digest, a death with a write in hand.
    all.push_back(begin + std::string{'\6', '\1', '\1', '\0', 'q'} + flush +
                  std::string{'\14', '\5', '\1', '\1', '\0', 'a', '\10', '\12', '\14', '\6'} + flush + '\77' + flush +
                  std::string{'\14', '\7', '\3'} + flush + '\17' + attach + flush);
    // A snapshot is saved, one is restored.
    const std::string chunk{'\14', '\10', '\1', '\0', '\0', '\1', '\0', 'x'};
    all.push_back(begin + '\44' + flush + chunk + std::string{'\14', '\24', '\1', '\0', '\0', '\1', '\0'} + flush);
    all.push_back(begin + std::string{'\20', '\1', '\1', '\0', '\0'} + flush +
                  std::string{'\45', '\0', '\0', '\1', '\0', 'x'} + std::string{'\14', '\54', '\1', '\0'} + flush);
    pb::Attach a;
    a.set_group("jobs");
    a.set_max_pending(1);
    pb::FromApplication pong;
    pong.mutable_pong()->set_id(1);
    std::string raw = joined + writes + '\12';
    put_piece(a.SerializeAsString(), raw);
    raw += flush + '\13';
    put_piece(pong.SerializeAsString(), raw);
    all.push_back(raw + flush);
}

// Steps of fuzz_lib_application and fuzz_lib_client.
void library_seeds(Seeds& seeds) {
    const std::string session{'\20'}, dispatch{'\11'};
    const auto says = [](std::initializer_list<char> bytes) { return '\3' + std::string(bytes); };
    auto& application = seeds["fuzz_lib_application"];
    const std::string prepare = says({'\1', '\1', '\1', '\1', '\0', 'x'}),
                      confirm = says({'\2', '\1', '\1', '\0', 'x'});
    application.push_back(session + prepare + dispatch + std::string{'\13', '\0'} + confirm + dispatch +
                          std::string{'\53', '\0'} + dispatch);
    application.push_back(session + prepare + dispatch + std::string{'\33', '\0'} + says({'\5', '\1'}) + dispatch +
                          '\12' + session + confirm + dispatch);
    application.push_back(session + says({'\6', '\1', '\1', '\0', 'q'}) + says({'\10', '\1'}) + says({'\36', '\1'}) +
                          dispatch + std::string{'\113', '\0', '\173', '\1'} + dispatch);
    application.push_back(session + says({'\11', '\1', '\1', '\2'}) + dispatch +
                          std::string{'\133', '\0', '\3', '\0', 'a', 'b', 'c'} + dispatch + says({'\15', '\1', '\2'}) +
                          says({'\16', '\1'}) + dispatch);
    application.push_back(session + says({'\12', '\1', '\5', '\1'}) + says({'\13', '\1', '\0', '\1', '\0', 's'}) +
                          says({'\14', '\1'}) + dispatch + std::string{'\153', '\0', '\0'} + says({'\17'}) + dispatch);
    for (std::string& input : application) input.insert(0, 1, '\0');
    auto& client = seeds["fuzz_lib_client"];
    const std::string greeted{'\0', '\1'}, write{'\50', '\1', '\0', 'w'}, read{'\10', '\1', '\0', 'r'};
    client.push_back(greeted + write + read + std::string{'\4', '\0', '\7'} + std::string{'\4', '\2', '\0'} + '\15' +
                     '\12');
    client.push_back(write + greeted + '\14' + greeted + std::string{'\4', '\1', '\0', '\4', '\5', '\0'});
    client.push_back(greeted +
                     std::string{'\33', '\1', '\7', '\1', '\1', '\1', '\1', '\0', 'd', '\1', '\16', '\13', '\0'});
    pb::ServerFrame frame;
    *frame.mutable_reply() = reply(pb::DONE, "result");
    std::string raw = greeted + write + '\2';
    put_piece(frame.SerializeAsString(), raw);
    client.push_back(raw + '\3' + std::string("\3\0\377\377\377", 5));
}

void snapshot_seeds(Seeds& seeds) {
    for (const std::string& group : {std::string("jobs"), std::string(), std::string(ctl::kMaxGroupName, 'g')}) {
        const std::string state = group.empty() ? "" : "the state";
        const ctl::SnapshotHeader header{1, 2, 12, state.size(), crc32c(state), group};
        seeds["fuzz_snapshot"].push_back('\0' + ctl::encode(header) + state);
    }
    seeds["fuzz_snapshot"].push_back('\1' + ctl::encode({1, 2, 12, 5, 0, "jobs"}) + "state");
    seeds["fuzz_snapshot"].push_back('\1' + ctl::encode({1, 2, 12, UINT64_MAX, 0, "jobs"}) + "state");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: make_seeds FOLDER\n");
        return 64;
    }
    Seeds seeds;
    wire_seeds(seeds);
    request_seeds(seeds);
    reply_seeds(seeds);
    ctl_seeds(seeds);
    config_seeds(seeds);
    ledger_seeds(seeds);
    attached_seeds(seeds);
    library_seeds(seeds);
    snapshot_seeds(seeds);
    for (const auto& [target, inputs] : seeds) {
        const std::filesystem::path folder = std::filesystem::path(argv[1]) / target;
        std::filesystem::create_directories(folder);
        for (size_t i = 0; i < inputs.size(); ++i) {
            std::ofstream file(folder / std::to_string(i), std::ios::binary);
            file << inputs[i];
            if (!file.flush()) {
                std::fprintf(stderr, "cannot write to %s\n", folder.c_str());
                return 1;
            }
        }
    }
    return 0;
}
