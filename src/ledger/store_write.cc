// Store: records and syncs.
#include "core/planted.h"
#include "ledger/store.h"
#include "wire/entry_codec.h"

namespace assent::ledger {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kKeptBuffer = 4 << 20;

}  // namespace

Trouble Store::write(std::span<const Persist> batch) {
    if (poison_) return poison_;
    const NodeState* state = nullptr;
    bool records = false;
    for (const Persist& unit : batch) {
        if (unit.state) state = &*unit.state;
        records = records || unit.truncate_from || !unit.append.empty() || unit.mark;
    }
    // A ballot is durable before anything of its epoch can be.
    if (state != nullptr && *state != state_.state) {
        if (state->ledger != state_.state.ledger || state->node != state_.state.node) {
            return poison(Error{"the ledger in " + options_.dir + " was told to change its node or ledger id"});
        }
        state_.state = *state;
        if (Trouble t = save_state()) return t;
    }
    if (!records) return {};
    for (const Persist& unit : batch) {
        if (Trouble t = put(unit)) return poison(*t);
        if (ASSENT_RARELY(unit_written_by_itself)) {
            if (Trouble t = flush()) return t;
        }
    }
    return flush();
}

Trouble Store::put(const Persist& unit) {
    if (unit.truncate_from && outline_.would_truncate(unit.truncate_from)) {
        const bool left_out = ASSENT_MUTANT(truncation_not_written);
        if (Trouble t = left_out ? Trouble() : put_note(RecordKind::truncate, unit.truncate_from)) return t;
        outline_.truncate(unit.truncate_from);
        changes_.push_back({unit.truncate_from, {}, true});
    }
    for (const EntryPtr& entry : unit.append) {
        // The mark rides on the last entry if it is there.
        const bool rides = !ASSENT_RARELY(mark_written_by_itself);
        const bool marked = rides && unit.mark && *unit.mark == entry->index && entry == unit.append.back();
        if (Trouble t = put_entry(*entry, marked)) return t;
        if (ASSENT_RARELY(entry_written_by_itself)) {
            if (Trouble t = flush()) return t;
        }
    }
    if (unit.mark && *unit.mark != outline_.mark && !ASSENT_MUTANT(mark_alone_not_written)) {
        if (Trouble t = put_note(RecordKind::mark, *unit.mark)) return t;
        outline_.mark = *unit.mark;
    }
    return {};
}

Trouble Store::put_entry(const Entry& entry, bool marked) {
    if (!outline_.may_append(entry.position())) {
        return Error{"the ledger in " + options_.dir + " ends at " + text(outline_.last) + " and was given entry " +
                     text(entry.position()) + " to append"};
    }
    if (ended_) {
        if (Trouble t = next_segment()) return t;
    }
    if (end() == kBlockBytes) put_start();
    size_t at = buffer_.size();
    buffer_.resize(at + kRecordHeaderBytes, '\0');
    wire::encode_entry(entry, buffer_);
    if (buffer_.size() - at - kRecordHeaderBytes > kMaxPayload) {
        return Error{"entry " + text(entry.position()) + " is too large for the ledger in " + options_.dir};
    }
    const bool perhaps = end() + kRecordAlign + kRecordHeaderBytes > current_.capacity;  // fits() knows
    if (perhaps || ASSENT_RARELY(entry_perhaps_too_long)) {
        const std::string payload = buffer_.substr(at + kRecordHeaderBytes);
        buffer_.resize(at);
        if (!fits(record_bytes(uint32_t(payload.size())))) {
            if (Trouble t = next_segment()) return t;
            put_start();
        }
        at = buffer_.size();
        buffer_.append(kRecordHeaderBytes, '\0').append(payload);
    }
    RecordHeader header;
    header.kind = RecordKind::entry;
    header.flags = marked ? kMarked : 0;
    header.index = entry.index.value;
    header.epoch = entry.epoch.value;
    changes_.push_back({entry.index, {current_.number, uint32_t(offset_ + at)}});
    finish(at, header);
    outline_.append(entry.position());
    if (marked) outline_.mark = entry.index;
    return {};
}

Trouble Store::put_note(RecordKind kind, Index index, Epoch epoch) {
    if (ended_ || !fits(kRecordHeaderBytes)) {
        if (Trouble t = next_segment()) return t;
    }
    if (end() == kBlockBytes) put_start();
    const size_t at = buffer_.size();
    buffer_.append(kRecordHeaderBytes, '\0');
    RecordHeader header;
    header.kind = kind;
    header.index = index.value;
    header.epoch = epoch.value;
    finish(at, header);
    return {};
}

void Store::put_start() {
    const size_t at = buffer_.size();
    buffer_.append(kRecordHeaderBytes, '\0').append(encode_start(outline_.mark));
    RecordHeader header;
    header.kind = RecordKind::start;
    header.index = outline_.last.index.value;
    header.epoch = outline_.last.epoch.value;
    finish(at, header);
}

void Store::finish(size_t at, RecordHeader header) {
    header.prev = prev_;
    header.use = current_.use;
    header.run = run_;
    header.durable = uint32_t(synced_);
    finish_record(buffer_, at, header);
    prev_ = header.crc;
}

// There must always be room for an end. An entry too large for any segment has one for itself, and that file grows.
bool Store::fits(uint64_t bytes) const {
    const bool fresh = end() <= kBlockBytes + record_bytes(kStartPayload);
    if (!fresh && ASSENT_RARELY(segment_ended_early)) return false;
    return fresh || end() + bytes + kRecordHeaderBytes <= current_.capacity;
}

// The full segment is durable before the next one gets its first byte, so that only the last one can be torn.
Trouble Store::next_segment() {
    if (!ended_) {
        const size_t at = buffer_.size();
        buffer_.append(kRecordHeaderBytes, '\0');
        RecordHeader header;
        header.kind = RecordKind::end;
        finish(at, header);
        ended_ = true;
        if (Trouble t = flush()) return t;
        ++syncs_;
        if (Trouble t = ASSENT_MUTANT(full_segment_not_synced) ? Trouble() : current_.file->sync()) return poison(*t);
        unsynced_ = false;
    }
    if (Trouble t = make_next(true)) return t;
    current_ = segments_.at(current_.number == 0 ? uint32_t(state_.first_segment) : current_.number + 1);
    offset_ = synced_ = kBlockBytes;
    ended_ = false;
    return {};
}

Trouble Store::flush() {
    if (buffer_.empty()) return {};
    const size_t size = buffer_.size();
    // Whole pages: the kernel then need not read the rest of the last one from a segment that is used again.
    const uint64_t page_end = (end() + kPage - 1) / kPage * kPage;
    const bool fills = page_end <= current_.capacity && !ASSENT_RARELY(page_not_filled);
    if (fills) buffer_.resize(page_end - offset_, '\0');
    unsynced_ = true;
    if (Trouble t = current_.file->write_at(offset_, buffer_)) return poison(*t);
    bytes_ += size;
    offset_ += size;
    if (buffer_.capacity() > kKeptBuffer || ASSENT_RARELY(buffer_given_back)) {
        buffer_ = std::string();
    } else {
        buffer_.clear();
    }
    return {};
}

Trouble Store::sync() {
    if (poison_) return poison_;
    if (unsynced_) {
        ++syncs_;
        const Trouble t = ASSENT_MUTANT(records_not_synced) ? Trouble() : current_.file->sync();
        if (t && !ASSENT_MUTANT(failed_sync_ignored)) return poison(*t);
        unsynced_ = false;
        synced_ = offset_;
    }
    const std::lock_guard guard(mutex_);
    for (const Change& change : changes_) {
        if (change.truncate) {
            table_.truncate(change.index);
        } else {
            table_.append(change.index, change.location);
        }
    }
    changes_.clear();
    return {};
}

Trouble Store::close() {
    if (poison_) return poison_;
    const bool room = !ended_ && end() > kBlockBytes && end() + 2 * kRecordHeaderBytes <= current_.capacity;
    if (room) {
        if (Trouble t = sync()) return t;
        if (Trouble t = put_note(RecordKind::close, outline_.last.index, outline_.last.epoch)) return poison(*t);
        if (Trouble t = flush()) return t;
    }
    if (Trouble t = sync()) return t;
    poison(Error{"the ledger in " + options_.dir + " is closed"});
    lock_.reset();
    return {};
}

}  // namespace assent::ledger
