#include "ledger/replay.h"

#include <algorithm>

#include "core/planted.h"
#include "ledger/advice.h"
#include "ledger/state_file.h"

namespace assent::ledger {
namespace {

constexpr size_t kChunk = 1 << 20;

class Walker {
  public:
    Walker(const std::string& dir, const Segments& segments, const RecordVisitor& visit)
        : dir_(dir), segments_(segments), visit_(visit) {}

    Replayed run() {
        for (auto it = segments_.begin(); it != segments_.end(); ++it) {
            if (walk(it->second)) continue;
            if (!ASSENT_MUTANT(ledger_cut_short_at_damage)) refuse_if_damaged(it);
            break;
        }
        if (!found_.outline.first && found_.outline.last.index) {
            damaged(segments_.begin()->second, kBlockBytes,
                    "it follows entry " + std::to_string(found_.outline.last.index.value) + ", but no entry is there");
        }
        return std::move(found_);
    }

  private:
    [[noreturn]] void damaged(const Segment& segment, uint64_t offset, const std::string& why) const {
        throw Failure(segment.path + " is damaged at offset " + std::to_string(offset) + ": " + why + "." +
                      advice(dir_));
    }

    // True if the segment goes on in the next one, else found_ tells where it stops.
    bool walk(const Segment& segment) {
        Window window(*segment.file, std::min<uint64_t>(kChunk, segment.capacity));
        found_.segment = segment.number;
        found_.offset = kBlockBytes;
        found_.ended = false;
        while (!found_.ended) {
            auto record = read_record(window, segment, found_.offset);
            if (!record) throw Failure(record.error() + "." + advice(dir_));
            const RecordHeader& h = record->header;
            // The oldest segment's first record follows one that was dropped.
            const bool chained = h.prev == found_.prev || !begun_ || ASSENT_MUTANT(chain_of_records_not_checked);
            if (!record->found || !chained) {
                if (record->parsed && chained) torn_at(segment, h);
                return false;
            }
            if (visit_) visit_(segment, found_.offset, h, record->payload);
            apply(segment, h, record->payload);
            begun_ = true;
            found_.prev = h.crc;
            found_.run = h.run;
            found_.offset += record_bytes(h.size);
        }
        return true;
    }

    void torn_at(const Segment& segment, const RecordHeader& h) {
        auto size = segment.file->size();
        if (!size) throw Failure(size.error() + "." + advice(dir_));
        found_.torn_bytes = std::min<uint64_t>(record_bytes(h.size), *size - found_.offset);
    }

    // The checksum holds: what is said here and cannot be was not done by the disk.
    void apply(const Segment& segment, const RecordHeader& h, std::string_view payload) {
        Outline& outline = found_.outline;
        const auto require = [&](bool holds, const char* what) {
            if (holds) return;
            damaged(segment, found_.offset,
                    std::string("its ") + name_of(h.kind) + " record contradicts those before it (" + what + ")");
        };
        require(h.run >= found_.run, "run");
        require((h.kind == RecordKind::start) == (found_.offset == kBlockBytes), "place");
        switch (h.kind) {
            case RecordKind::start: {
                const std::optional<Index> mark = decode_start(payload);
                require(mark.has_value(), "size");
                const Position last{Epoch(h.epoch), Index(h.index)};
                if (!begun_) {
                    outline.last = last;
                    outline.mark = *mark;
                } else {
                    require(outline.last == last && outline.mark == *mark, "index, epoch or mark");
                }
                break;
            }
            case RecordKind::entry: {
                const Position p{Epoch(h.epoch), Index(h.index)};
                require(outline.may_append(p), "index or epoch");
                outline.append(p);
                found_.table.append(p.index, {segment.number, found_.offset});
                if (h.flags & kMarked || ASSENT_MUTANT(mark_recovered_too_high)) outline.mark = p.index;
                break;
            }
            case RecordKind::truncate:
                require(h.index > 0, "index");
                if (ASSENT_MUTANT(truncation_not_replayed)) break;
                outline.truncate(Index(h.index));
                found_.table.truncate(Index(h.index));
                break;
            case RecordKind::mark:
                if (!ASSENT_MUTANT(mark_not_replayed)) outline.mark = Index(h.index);
                break;
            case RecordKind::end: found_.ended = true; break;
            case RecordKind::close: break;
        }
    }

    // The chain stops in *at, at found_.offset. An unfinished write is the last thing that was written there. A record
    // further on that was written when the stopping place was already synced proves that this is something else.
    void refuse_if_damaged(Segments::const_iterator at) const {
        const uint64_t stop = found_.offset;
        if (const uint64_t proof = later_record(at->second, stop + kRecordAlign, stop)) {
            damaged(at->second, stop,
                    "the record there fails its check, and the one at offset " + std::to_string(proof) +
                        " was written after it had reached the disk, so this is no unfinished write");
        }
        for (auto it = std::next(at); it != segments_.end(); ++it) {
            const uint64_t proof = later_record(it->second, kBlockBytes, 0);
            if (proof == 0) continue;
            damaged(at->second, stop,
                    "the records stop there, but " + it->second.path + " goes on at offset " + std::to_string(proof) +
                        ", so this is no unfinished write");
        }
    }

    // The first valid record of this use at or above `from` that says that more than `stop` was synced; 0: none.
    uint64_t later_record(const Segment& segment, uint64_t from, uint64_t stop) const {
        Window window(*segment.file, std::min<uint64_t>(kChunk, segment.capacity));
        for (uint64_t offset = from;; offset += kRecordAlign) {
            auto head = window.at(offset, kRecordHeaderBytes);
            if (!head) throw Failure(head.error() + "." + advice(dir_));
            if (head->size() < kRecordHeaderBytes) return 0;
            RecordHeader h;
            if (!parse_record(*head, h) || h.use != segment.use || h.durable <= stop) continue;
            auto record = read_record(window, segment, offset);
            if (!record) throw Failure(record.error() + "." + advice(dir_));
            if (record->found) return offset;
        }
    }

    const std::string& dir_;
    const Segments& segments_;
    const RecordVisitor& visit_;
    Replayed found_;
    bool begun_ = false;
};

}  // namespace

Replayed replay(const std::string& dir, const Segments& segments, const RecordVisitor& visit) {
    return Walker(dir, segments, visit).run();
}

void walk(Env& env, const std::string& dir, const RecordVisitor& visit) {
    auto lock = env.lock(dir);
    if (!lock) throw Failure(lock.error());
    StateBlock state;
    StateFile file(env, dir);
    if (!file.load(state, Env::Access::read)) throw Failure("there is no ledger in " + dir);
    Segments segments;
    for (uint64_t n = state.first_segment; n <= state.last_segment; ++n) {
        segments.emplace(uint32_t(n), open_segment(env, dir, uint32_t(n), state.state.ledger, Env::Access::read));
    }
    replay(dir, segments, visit);
}

}  // namespace assent::ledger
