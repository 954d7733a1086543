// Entries and messages come out of the codec as they went in, and nothing else comes out of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/crc32c.h"
#include "wire/entry_codec.h"
#include "wire/message_codec.h"
#include "wire/scan.h"

namespace assent {

static bool operator==(const Entry& a, const Entry& b) {
    const bool configs = a.config && b.config ? *a.config == *b.config : a.config == b.config;
    return configs && a.index == b.index && a.epoch == b.epoch && a.kind == b.kind && a.client == b.client &&
           a.sequence == b.sequence && a.first_unanswered == b.first_unanswered && a.data == b.data &&
           a.cancel == b.cancel;
}

namespace {

EntryPtr write_entry(uint64_t index, std::string data) {
    Entry e;
    e.index = Index(index);
    e.epoch = Epoch(4);
    e.client = {Index(7), 0xfedcba9876543210};
    e.sequence = 12;
    e.first_unanswered = 9;
    e.data = std::move(data);
    return std::make_shared<Entry>(std::move(e));
}

EntryPtr config_entry(size_t voters) {
    Config c;
    c.cluster = {1, 0xffffffffffffffff};
    for (size_t i = 1; i <= voters; ++i) c.voters.push_back({NodeId(uint32_t(i)), LedgerId(i * 77), 1});
    c.outgoing.push_back({NodeId(9), LedgerId(3), 0});
    Entry e;
    e.index = Index(1);
    e.kind = EntryKind::config;
    e.config = std::make_shared<Config>(std::move(c));
    return std::make_shared<Entry>(std::move(e));
}

EntryPtr cancel_entry() {
    Entry e;
    e.index = Index(1ull << 63);
    e.epoch = Epoch(UINT64_MAX);
    e.kind = EntryKind::cancel;
    e.cancel = {Index(8), {Index(3), 5}, 6};
    return std::make_shared<Entry>(std::move(e));
}

std::string encoded(const Entry& e) {
    std::string out;
    wire::encode_entry(e, out);
    return out;
}

Header header() {
    Header h;
    h.cluster = {11, 12};
    h.from = NodeId(1);
    h.to = NodeId(2);
    h.ledger = LedgerId(13);
    h.incarnation = Incarnation(14);
    h.ring = {NodeId(1), 99};
    h.sequence = 15;
    return h;
}

// One message of each kind, with every field set to something of its own.
std::vector<Message> every_message() {
    Status status;
    status.ballot = Epoch(1);
    status.last = {Epoch(2), Index(3)};
    status.master_epoch = Epoch(4);
    status.master = NodeId(5);
    status.links = {NodeId(2), NodeId(3)};
    status.application_healthy = false;
    status.priority = 6;
    status.nodelist = {{NodeId(1), 1}, {NodeId(2), 0}};
    status.ledger_empty = false;
    status.protocol_min = 7;
    status.protocol_max = 8;
    status.answer_wanted = true;
    const VerdictPair pair{Index(40), Index(41)};
    const Position place{Epoch(3), Index(50)};
    return {status,
            VoteRequest{Epoch(5), place, true, config_entry(3)},
            VoteRequest{Epoch(5), place, false, nullptr},
            Vote{Epoch(5), true, Epoch(6), place},
            Propose{Epoch(5), place, {write_entry(51, "a"), write_entry(52, ""), cancel_entry()}, Index(60), pair},
            Propose{Epoch(5), place, {}, Index(60), pair},
            Confirm{Epoch(5), pair},
            StepDown{Epoch(5)},
            Transfer{Epoch(5), NodeId(3)},
            Ack{Epoch(5), Index(6), Index(7), {{Index(8), "no"}, {Index(9), "never"}}},
            Heartbeat{Epoch(5), 6, 300'000, place, pair},
            HeartbeatAnswer{Epoch(5), 6, true},
            Fetch{Epoch(5), {{Epoch(3), Index(4)}, {Epoch(1), Index(2)}}, place, Position{Epoch(3), Index(61)}, 77},
            Entries{Epoch(5),
                    77,
                    place,
                    {write_entry(51, std::string(100'000, 'x'))},
                    Position{Epoch(5), Index(99)},
                    pair}};
}

void put_checksum(std::string& bytes) {
    const uint32_t sum = crc32c(std::string_view(bytes).substr(8));
    for (int i = 0; i < 4; ++i) bytes[size_t(4 + i)] = char(sum >> (8 * i));
}

TEST(EntryCodec, RoundTrip) {
    Entry epoch;
    epoch.index = Index(2);
    epoch.epoch = Epoch(1);
    epoch.kind = EntryKind::epoch;
    const std::vector<EntryPtr> entries = {write_entry(1, ""),
                                           write_entry(2, std::string("\0\xff", 2)),
                                           write_entry(3, std::string(1 << 20, 'y')),
                                           config_entry(255),
                                           cancel_entry(),
                                           std::make_shared<Entry>(epoch)};
    for (const EntryPtr& entry : entries) {
        const auto decoded = wire::decode_entry(encoded(*entry));
        ASSERT_TRUE(decoded) << decoded.error();
        EXPECT_TRUE(**decoded == *entry) << entry->index.value;
    }
}

TEST(EntryCodec, AppendsToWhatIsThere) {
    std::string out = "before";
    wire::encode_entry(*write_entry(1, "data"), out);
    EXPECT_EQ(out, "before" + encoded(*write_entry(1, "data")));
}

TEST(EntryCodec, RefusesWhatIsNoEntry) {
    Entry e = *write_entry(1, "data");
    e.index = Index(0);
    EXPECT_FALSE(wire::decode_entry(encoded(e)));
    e = *write_entry(1, "data");
    e.kind = EntryKind(5);
    EXPECT_FALSE(wire::decode_entry(encoded(e)));
    e.kind = EntryKind(0);
    EXPECT_FALSE(wire::decode_entry(encoded(e)));
    e.kind = EntryKind::config;
    EXPECT_FALSE(wire::decode_entry(encoded(e))) << "no voters";
    EXPECT_FALSE(wire::decode_entry(encoded(*config_entry(256))));
    EXPECT_FALSE(wire::decode_entry(""));
    EXPECT_FALSE(wire::decode_entry(encoded(*write_entry(1, "data")) + encoded(*write_entry(1, "data"))));
}

TEST(EntryCodec, BoundsData) {
    EXPECT_TRUE(wire::decode_entry(encoded(*write_entry(1, std::string(64 << 20, 'x')))));
    EXPECT_FALSE(wire::decode_entry(encoded(*write_entry(1, std::string((64 << 20) + 1, 'x')))));
}

TEST(EntryCodec, CutOffAnywhere) {
    const std::string whole = encoded(*config_entry(2));
    for (size_t size = 0; size < whole.size(); ++size) {
        const auto decoded = wire::decode_entry(std::string_view(whole).substr(0, size));
        if (decoded) {
            EXPECT_FALSE(**decoded == *config_entry(2)) << size;
        }
    }
}

TEST(MessageCodec, RoundTripOfEveryKind) {
    std::vector<bool> seen(std::variant_size_v<Message>);
    for (const Message& message : every_message()) {
        seen[message.index()] = true;
        const std::string bytes = wire::encode_message("kv", header(), message);
        const auto decoded = wire::decode_message(bytes);
        ASSERT_TRUE(decoded) << name(message) << ": " << decoded.error();
        EXPECT_EQ(decoded->group, "kv");
        EXPECT_EQ(decoded->message.index(), message.index());
        // Every field was set to something of its own: if one were lost or mixed up, the bytes would differ.
        EXPECT_EQ(wire::encode_message(decoded->group, decoded->header, decoded->message), bytes) << name(message);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
}

TEST(MessageCodec, FieldsComeOut) {
    const auto messages = every_message();
    const auto decode = [&](size_t i) {
        return *wire::decode_message(wire::encode_message("jobs", header(), messages[i]));
    };
    const wire::Envelope first = decode(0);
    EXPECT_EQ(first.header.cluster, header().cluster);
    EXPECT_EQ(first.header.from, NodeId(1));
    EXPECT_EQ(first.header.to, NodeId(2));
    EXPECT_EQ(first.header.ledger, LedgerId(13));
    EXPECT_EQ(first.header.incarnation, Incarnation(14));
    EXPECT_EQ(first.header.ring, header().ring);
    EXPECT_EQ(first.header.sequence, 15u);
    const auto& status = std::get<Status>(first.message);
    EXPECT_EQ(status.ballot, Epoch(1));
    EXPECT_EQ(status.last, (Position{Epoch(2), Index(3)}));
    EXPECT_EQ(status.master_epoch, Epoch(4));
    EXPECT_EQ(status.master, NodeId(5));
    EXPECT_EQ(status.links, (std::vector{NodeId(2), NodeId(3)}));
    EXPECT_FALSE(status.application_healthy);
    EXPECT_EQ(status.priority, 6u);
    EXPECT_EQ(status.nodelist, (std::vector{ListedNode{NodeId(1), 1}, ListedNode{NodeId(2), 0}}));
    EXPECT_FALSE(status.ledger_empty);
    EXPECT_EQ(status.protocol_min, 7u);
    EXPECT_EQ(status.protocol_max, 8u);
    EXPECT_TRUE(status.answer_wanted);
    const wire::Envelope request = decode(1);
    EXPECT_TRUE(*std::get<VoteRequest>(request.message).first_config == *config_entry(3));
    const wire::Envelope propose = decode(4);
    const auto& p = std::get<Propose>(propose.message);
    EXPECT_EQ(p.epoch, Epoch(5));
    EXPECT_EQ(p.previous, (Position{Epoch(3), Index(50)}));
    ASSERT_EQ(p.entries.size(), 3u);
    EXPECT_TRUE(*p.entries[2] == *cancel_entry());
    EXPECT_EQ(p.last, Index(60));
    EXPECT_EQ(p.verdicts, (VerdictPair{Index(40), Index(41)}));
    const wire::Envelope fetch = decode(12);
    const auto& f = std::get<Fetch>(fetch.message);
    EXPECT_EQ(f.runs, (std::vector{assent::Run{Epoch(3), Index(4)}, assent::Run{Epoch(1), Index(2)}}));
    EXPECT_EQ(f.matched, (Position{Epoch(3), Index(50)}));
    EXPECT_EQ(f.last, (Position{Epoch(3), Index(61)}));
    EXPECT_EQ(f.id, 77u);
}

TEST(MessageCodec, EveryDamagedByteIsNoticed) {
    for (const Message& message : every_message()) {
        std::string bytes = wire::encode_message("kv", header(), message);
        const size_t step = bytes.size() > 1000 ? 997 : 1;
        for (size_t i = 0; i < bytes.size(); i += step) {
            bytes[i] = char(bytes[i] ^ 0x20);
            EXPECT_FALSE(wire::decode_message(bytes)) << name(message) << " at " << i;
            bytes[i] = char(bytes[i] ^ 0x20);
            EXPECT_FALSE(wire::decode_message(std::string_view(bytes).substr(0, i)));
        }
    }
}

TEST(MessageCodec, RefusesOtherVersions) {
    Header h = header();
    h.version = kProtocolMax + 1;
    const auto decoded = wire::decode_message(wire::encode_message("kv", h, StepDown{Epoch(1)}));
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().find("version 2"), std::string::npos) << decoded.error();
    h.version = 0;
    EXPECT_FALSE(wire::decode_message(wire::encode_message("kv", h, StepDown{Epoch(1)})));
}

TEST(MessageCodec, RefusesUnknownKind) {
    std::string bytes = wire::encode_message("", Header{}, StepDown{});
    bytes.resize(bytes.size() - 2);  // the body: an empty STEP_DOWN
    put_checksum(bytes);
    const auto decoded = wire::decode_message(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().find("kind"), std::string::npos) << decoded.error();
}

TEST(MessageCodec, RefusesEntriesWhereNoneBelong) {
    std::string bytes = wire::encode_message("kv", header(), StepDown{Epoch(1)});
    const std::string entry = encoded(*write_entry(1, "x"));
    bytes.push_back(char(15 << 3 | 2));
    wire::put_varint(entry.size(), bytes);
    bytes += entry;
    put_checksum(bytes);
    EXPECT_FALSE(wire::decode_message(bytes));
}

TEST(MessageCodec, BoundsLists) {
    Fetch fetch{Epoch(1), std::vector<assent::Run>(kMaxFetchRuns + 1), {}, {}, 1};
    EXPECT_FALSE(wire::decode_message(wire::encode_message("kv", header(), fetch)));
    fetch.runs.pop_back();
    EXPECT_TRUE(wire::decode_message(wire::encode_message("kv", header(), fetch)));
    Status status;
    status.nodelist.resize(1025);
    EXPECT_FALSE(wire::decode_message(wire::encode_message("kv", header(), status)));
    Propose propose;
    propose.entries.assign(65'537, write_entry(1, ""));
    EXPECT_FALSE(wire::decode_message(wire::encode_message("kv", header(), propose)));
    EXPECT_FALSE(wire::decode_message(wire::encode_message(std::string(65, 'g'), header(), StepDown{})));
}

// A right checksum over anything: the decoder says no or gives a message that encodes again, and never crashes.
TEST(MessageCodec, SurvivesGarbageWithRightChecksum) {
    std::mt19937_64 random(1);
    const auto messages = every_message();
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = wire::encode_message("kv", header(), messages[random() % (messages.size() - 1)]);
        for (int changes = int(random() % 4); changes >= 0; --changes)
            bytes[8 + random() % (bytes.size() - 8)] = char(random());
        if (random() % 4 == 0) bytes.resize(8 + random() % (bytes.size() - 8));
        put_checksum(bytes);
        const auto decoded = wire::decode_message(bytes);
        if (!decoded) continue;
        EXPECT_TRUE(wire::decode_message(wire::encode_message(decoded->group, decoded->header, decoded->message)));
    }
}

}  // namespace
}  // namespace assent
