// The bytes on the disk (doc/ledger-format.md): two kinds of 512-byte blocks and one kind of record. No I/O in here.
// All numbers are little-endian. Everything that is parsed is bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/types.h"

namespace assent::ledger {

constexpr uint32_t kFormatVersion = 1;
constexpr uint32_t kBlockBytes = 512;  // one sector: a disk writes it whole or not at all
constexpr uint32_t kRecordHeaderBytes = 48;
constexpr uint32_t kRecordAlign = 8;
constexpr uint32_t kMaxPayload = (64u << 20) + (128u << 10);  // data of 64 MiB and what is around it
constexpr uint64_t kMinSegmentBytes = 4096;
constexpr uint64_t kMaxSegmentBytes = 1ull << 30;  // offsets stay below 4 GiB even with a huge record at the end

enum class BlockError { none, damaged, newer };

// What the files state-a and state-b hold.
struct StateBlock {
    uint64_t sequence = 0;  // of two valid copies the greater one counts; also the run's number
    NodeState state;
    uint64_t first_segment = 1;  // these and all between must be there
    uint64_t last_segment = 0;   // below the first: none yet
    bool operator==(const StateBlock&) const = default;
};
std::string encode_state(const StateBlock& block);  // kBlockBytes
BlockError decode_state(std::string_view bytes, StateBlock& block);

// At the start of each segment.
struct SegmentBlock {
    LedgerId ledger;
    uint64_t number = 0;
    uint64_t capacity = 0;  // bytes there, and synced, before the first record: a shorter file was cut by somebody
    bool operator==(const SegmentBlock&) const = default;
};
std::string encode_segment(const SegmentBlock& block);  // kBlockBytes
BlockError decode_segment(std::string_view bytes, SegmentBlock& block);

enum class RecordKind : uint8_t {
    start = 1,     // first of a segment: index, epoch of the last entry before; payload: the mark
    entry = 2,     // payload: wire::encode_entry
    truncate = 3,  // entries from index on are gone
    mark = 4,      // the mark is at index
    end = 5,       // last of a segment: the next one goes on
    close = 6,     // the process ended in order; all before it is synced
};
constexpr uint8_t kMarked = 1;  // flag of an entry: the mark is at its index

struct RecordHeader {
    uint32_t crc = 0;      // of all that follows it, padding included
    uint32_t prev = 0;     // crc of the record before: the chain
    uint32_t use = 0;      // use_of(ledger, segment number): not what an older use of the file left behind
    uint32_t run = 0;      // low bits of StateBlock::sequence when the writing process opened the ledger
    uint32_t durable = 0;  // all bytes of the segment below this offset were synced when this was written
    uint32_t size = 0;     // of the payload
    RecordKind kind = RecordKind::entry;
    uint8_t flags = 0;
    uint64_t index = 0;
    uint64_t epoch = 0;
};

uint32_t use_of(LedgerId ledger, uint64_t segment);
// Header, payload, and zeros to the next multiple of kRecordAlign.
constexpr uint32_t record_bytes(uint32_t payload) {
    return (kRecordHeaderBytes + payload + kRecordAlign - 1) / kRecordAlign * kRecordAlign;
}
// The buffer holds, from `at` on, kRecordHeaderBytes of room and the payload: pads, fills the header (size, crc).
void finish_record(std::string& buffer, size_t at, RecordHeader& header);
// From kRecordHeaderBytes bytes. False if no record can look so; the checksum is not looked at.
bool parse_record(std::string_view bytes, RecordHeader& header);
// `bytes`: the whole record.
bool verify_record(std::string_view bytes, const RecordHeader& header);

constexpr uint32_t kStartPayload = 8;
std::string encode_start(Index mark);
std::optional<Index> decode_start(std::string_view bytes);

const char* name_of(RecordKind kind);
// "segment-0000000012"; and back, 0 if it is no such name.
std::string segment_name(uint64_t number);
std::string spare_name(uint64_t number);
uint64_t segment_number(std::string_view name);
uint64_t spare_number(std::string_view name);

}  // namespace assent::ledger
