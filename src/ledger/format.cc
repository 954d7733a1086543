#include "ledger/format.h"

#include <charconv>
#include <cstring>

#include "base/crc32c.h"

namespace assent::ledger {
namespace {

constexpr std::string_view kStateMagic = "assentST";
constexpr std::string_view kSegmentMagic = "assentSG";
constexpr uint32_t kChecksumAt = kBlockBytes - 4;

class Writer {
  public:
    explicit Writer(char* to) : p_(to) {}
    template <typename T> void put(T value) {
        for (size_t i = 0; i < sizeof(T); ++i) *p_++ = char(value >> (8 * i));
    }

  private:
    char* p_;
};

class Reader {
  public:
    explicit Reader(const char* from) : p_(from) {}
    template <typename T> T get() {
        T value = 0;
        for (size_t i = 0; i < sizeof(T); ++i) value = T(value | T(T(uint8_t(*p_++)) << (8 * i)));
        return value;
    }

  private:
    const char* p_;
};

// Magic and version lead in, the checksum is in the last four bytes: so it is to stay in every version.
std::string new_block(std::string_view magic) {
    std::string block(kBlockBytes, '\0');
    block.replace(0, magic.size(), magic);
    Writer(block.data() + 8).put(kFormatVersion);
    return block;
}

void seal_block(std::string& block) {
    Writer(block.data() + kChecksumAt).put(crc32c(std::string_view(block).substr(0, kChecksumAt)));
}

BlockError check_block(std::string_view bytes, std::string_view magic) {
    if (bytes.size() != kBlockBytes || !bytes.starts_with(magic)) return BlockError::damaged;
    const auto checksum = Reader(bytes.data() + kChecksumAt).get<uint32_t>();
    if (checksum != crc32c(bytes.substr(0, kChecksumAt))) return BlockError::damaged;
    const auto version = Reader(bytes.data() + 8).get<uint32_t>();
    if (version > kFormatVersion) return BlockError::newer;
    return version == 0 ? BlockError::damaged : BlockError::none;
}

uint64_t number_after(std::string_view prefix, std::string_view name) {
    if (!name.starts_with(prefix) || name.size() != prefix.size() + 10) return 0;
    name.remove_prefix(prefix.size());
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || number > UINT32_MAX) return 0;
    return number;
}

std::string numbered(std::string_view prefix, uint64_t number) {
    const std::string digits = std::to_string(number);
    return std::string(prefix) + std::string(digits.size() < 10 ? 10 - digits.size() : 0, '0') + digits;
}

}  // namespace

std::string encode_state(const StateBlock& b) {
    std::string block = new_block(kStateMagic);
    Writer w(block.data() + 16);
    w.put(b.sequence);
    w.put(b.state.cluster.high);
    w.put(b.state.cluster.low);
    w.put(b.state.ledger.value);
    w.put(b.state.ballot.value);
    w.put(b.state.longest_lease_us);
    w.put(b.first_segment);
    w.put(b.last_segment);
    w.put(b.state.node.value);
    w.put(b.state.voted_for.value);
    seal_block(block);
    return block;
}

BlockError decode_state(std::string_view bytes, StateBlock& b) {
    if (const BlockError error = check_block(bytes, kStateMagic); error != BlockError::none) return error;
    Reader r(bytes.data() + 16);
    b.sequence = r.get<uint64_t>();
    b.state.cluster.high = r.get<uint64_t>();
    b.state.cluster.low = r.get<uint64_t>();
    b.state.ledger = LedgerId(r.get<uint64_t>());
    b.state.ballot = Epoch(r.get<uint64_t>());
    b.state.longest_lease_us = r.get<uint64_t>();
    b.first_segment = r.get<uint64_t>();
    b.last_segment = r.get<uint64_t>();
    b.state.node = NodeId(r.get<uint32_t>());
    b.state.voted_for = NodeId(r.get<uint32_t>());
    const bool sane = b.first_segment >= 1 && b.last_segment < UINT32_MAX && b.first_segment <= b.last_segment + 1;
    return sane ? BlockError::none : BlockError::damaged;
}

std::string encode_segment(const SegmentBlock& b) {
    std::string block = new_block(kSegmentMagic);
    Writer w(block.data() + 16);
    w.put(b.ledger.value);
    w.put(b.number);
    w.put(b.capacity);
    seal_block(block);
    return block;
}

BlockError decode_segment(std::string_view bytes, SegmentBlock& b) {
    if (const BlockError error = check_block(bytes, kSegmentMagic); error != BlockError::none) return error;
    Reader r(bytes.data() + 16);
    b.ledger = LedgerId(r.get<uint64_t>());
    b.number = r.get<uint64_t>();
    b.capacity = r.get<uint64_t>();
    const bool sane = b.capacity >= kBlockBytes && b.capacity <= kMaxSegmentBytes;
    return sane ? BlockError::none : BlockError::damaged;
}

uint32_t use_of(LedgerId ledger, uint64_t segment) {
    char bytes[16];
    Writer w(bytes);
    w.put(ledger.value);
    w.put(segment);
    return crc32c(std::string_view(bytes, sizeof bytes));
}

void finish_record(std::string& buffer, size_t at, RecordHeader& h) {
    h.size = uint32_t(buffer.size() - at - kRecordHeaderBytes);
    buffer.resize(at + record_bytes(h.size), '\0');
    Writer w(buffer.data() + at + 4);
    w.put(h.prev);
    w.put(h.use);
    w.put(h.run);
    w.put(h.durable);
    w.put(h.size);
    w.put(uint8_t(h.kind));
    w.put(h.flags);
    w.put(uint16_t(0));
    w.put(uint32_t(0));
    w.put(h.index);
    w.put(h.epoch);
    h.crc = crc32c(std::string_view(buffer).substr(at + 4));
    Writer(buffer.data() + at).put(h.crc);
}

bool parse_record(std::string_view bytes, RecordHeader& h) {
    if (bytes.size() < kRecordHeaderBytes) return false;
    Reader r(bytes.data());
    h.crc = r.get<uint32_t>();
    h.prev = r.get<uint32_t>();
    h.use = r.get<uint32_t>();
    h.run = r.get<uint32_t>();
    h.durable = r.get<uint32_t>();
    h.size = r.get<uint32_t>();
    const auto kind = r.get<uint8_t>();
    h.flags = r.get<uint8_t>();
    const auto zeros = r.get<uint16_t>() | r.get<uint32_t>();
    h.index = r.get<uint64_t>();
    h.epoch = r.get<uint64_t>();
    if (kind < uint8_t(RecordKind::start) || kind > uint8_t(RecordKind::close)) return false;
    h.kind = RecordKind(kind);
    return zeros == 0 && h.size <= kMaxPayload && h.flags <= (h.kind == RecordKind::entry ? kMarked : 0);
}

bool verify_record(std::string_view bytes, const RecordHeader& h) {
    return bytes.size() == record_bytes(h.size) && crc32c(bytes.substr(4)) == h.crc;
}

std::string encode_start(Index mark) {
    std::string bytes(kStartPayload, '\0');
    Writer(bytes.data()).put(mark.value);
    return bytes;
}

std::optional<Index> decode_start(std::string_view bytes) {
    if (bytes.size() != kStartPayload) return {};
    return Index(Reader(bytes.data()).get<uint64_t>());
}

const char* name_of(RecordKind kind) {
    switch (kind) {
        case RecordKind::start: return "start";
        case RecordKind::entry: return "entry";
        case RecordKind::truncate: return "truncate";
        case RecordKind::mark: return "mark";
        case RecordKind::end: return "end";
        case RecordKind::close: return "close";
    }
    return "?";
}

std::string segment_name(uint64_t number) { return numbered("segment-", number); }
std::string spare_name(uint64_t number) { return numbered("spare-", number); }
uint64_t segment_number(std::string_view name) { return number_after("segment-", name); }
uint64_t spare_number(std::string_view name) { return number_after("spare-", name); }

}  // namespace assent::ledger
