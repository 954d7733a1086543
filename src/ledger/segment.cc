#include "ledger/segment.h"

#include <algorithm>

#include "core/planted.h"
#include "ledger/advice.h"

namespace assent::ledger {

constexpr uint32_t kChunk = 64 << 10;

Result<std::string_view> Window::at(uint64_t offset, size_t size) {
    if (offset < start_ || offset + size > start_ + bytes_.size()) {
        bytes_.resize(ASSENT_RARELY(window_without_reading_ahead) ? size : std::max(size, chunk_));
        start_ = offset;
        auto got = file_.read_at(offset, bytes_.data(), bytes_.size());
        if (!got) {
            bytes_.clear();
            return Error{got.error()};
        }
        bytes_.resize(*got);
    }
    const std::string_view all(bytes_);
    return all.substr(std::min<uint64_t>(offset - start_, all.size()), size);
}

Result<ReadRecord> read_record(Window& window, const Segment& segment, uint64_t offset) {
    ReadRecord record;
    auto head = window.at(offset, kRecordHeaderBytes);
    if (!head) return Error{head.error()};
    if (!parse_record(*head, record.header)) return record;
    if (record.header.use != segment.use) return record;
    if (record.header.durable > offset || record.header.durable < kBlockBytes) return record;
    record.parsed = true;
    // A size from a torn header must not make us ask for more than the file has.
    if (record.header.size > kChunk) {
        auto size = segment.file->size();
        if (!size) return Error{size.error()};
        if (offset + record_bytes(record.header.size) > *size) return record;
    }
    auto whole = window.at(offset, record_bytes(record.header.size));
    if (!whole) return Error{whole.error()};
    record.found = verify_record(*whole, record.header) || ASSENT_MUTANT(torn_record_accepted);
    if (record.found) record.payload = whole->substr(kRecordHeaderBytes, record.header.size);
    return record;
}

Segment open_segment(Env& env, const std::string& dir, uint32_t number, LedgerId ledger, Env::Access access) {
    const std::string path = dir + "/" + segment_name(number);
    auto file = env.open(path, access);
    if (!file) throw Failure(file.error() + ", and the ledger needs it." + advice(dir));
    Window window(**file, kBlockBytes);
    auto bytes = window.at(0, kBlockBytes);
    auto size = (*file)->size();
    if (!bytes) throw Failure(bytes.error() + "." + advice(dir));
    if (!size) throw Failure(size.error() + "." + advice(dir));
    SegmentBlock block;
    switch (decode_segment(*bytes, block)) {
        case BlockError::none: break;
        case BlockError::newer: throw Failure(path + kNewer);
        case BlockError::damaged:
            throw Failure(path + " is damaged at offset 0: its header fails the check." + advice(dir));
    }
    if (block.ledger != ledger || block.number != number) {
        throw Failure(path + " is not this ledger's segment " + std::to_string(number) +
                      ": its header names another ledger or number. It was copied or renamed." + advice(dir));
    }
    if (*size < block.capacity) {
        throw Failure(path + " is damaged at offset " + std::to_string(*size) + ": it ends there, but was made with " +
                      std::to_string(block.capacity) + " bytes." + advice(dir));
    }
    return {number, use_of(ledger, number), block.capacity, path, std::shared_ptr<File>(std::move(*file))};
}

}  // namespace assent::ledger
