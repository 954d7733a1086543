#include "ledger/store.h"

#include <algorithm>

#include "core/planted.h"
#include "ledger/advice.h"
#include "wire/entry_codec.h"

namespace assent::ledger {
namespace {

void must(const Trouble& trouble) {
    if (!trouble) return;
    throw Failure(trouble->text +
                  ". What to do: see to it that the disk works and has room, then start again; that loses nothing.");
}

}  // namespace

Store::Store(Env& env, const LedgerOptions& options) : env_(env), options_(options), state_file_(env, options.dir) {}

std::unique_ptr<Store> Store::open(Env& env, const LedgerOptions& options, Opened& opened) {
    if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes) {
        throw Failure("the segment size of the ledger must be from " + std::to_string(kMinSegmentBytes) + " to " +
                      std::to_string(kMaxSegmentBytes) + " bytes, not " + std::to_string(options.segment_bytes));
    }
    std::unique_ptr<Store> store(new Store(env, options));
    store->recover(opened);
    return store;
}

void Store::recover(Opened& opened) {
    const std::string& dir = options_.dir;
    auto lock = env_.lock(dir);
    if (!lock) throw Failure(lock.error());
    lock_ = std::move(*lock);
    opened = Opened();
    if (!state_file_.load(state_)) {
        format();
        opened.formatted = true;
    }
    if (state_.state.node != options_.node) {
        throw Failure("the ledger in " + dir + " belongs to node " + std::to_string(state_.state.node.value) +
                      ", but this is node " + std::to_string(options_.node.value) +
                      ". What to do: correct the node id in corosync.conf, or move the folder away and join anew.");
    }
    for (uint64_t n = state_.first_segment; n <= state_.last_segment; ++n) {
        segments_.emplace(uint32_t(n), open_segment(env_, dir, uint32_t(n), state_.state.ledger, Env::Access::write));
    }
    // Before it is read: what is found must be on the disk (R4). A sync that failed in an earlier run may have left
    // pages in the cache that look written; only the last segments can have such.
    for (auto& [number, segment] : segments_) {
        if (!ASSENT_MUTANT(start_without_syncing_what_was_found)) must(segment.file->sync());
        ++syncs_;
        if (number + 1 >= state_.last_segment) must(segment.file->forget_cache());
    }
    Replayed found = replay(dir, segments_);
    outline_ = std::move(found.outline);
    table_ = std::move(found.table);
    if (const auto it = segments_.find(found.segment); it != segments_.end()) current_ = it->second;
    ended_ = segments_.empty() || found.ended;
    offset_ = synced_ = found.offset;
    prev_ = found.prev;
    // Both copies are whole again, and this run has a number of its own: should a record that was cut be written once
    // more, what followed the old one does not follow the new one.
    ++state_.sequence;
    run_ = uint32_t(state_.sequence);
    if (run_ <= found.run) {  // votes may have been given that it does not know
        throw Failure("the ballot (" + path(StateFile::kNames[0]) + ", " + path(StateFile::kNames[1]) +
                      ") is older than the last record of the ledger: an old copy was put back, or a disk lies." +
                      advice(dir));
    }
    must(state_file_.save(state_));
    collect_spares();
    if (segments_.empty()) must(make_next(true));
    opened.state = state_.state;
    opened.first = outline_.first;
    opened.last = outline_.last;
    opened.mark = outline_.mark;
    opened.torn_bytes = found.torn_bytes;
    opened.run = state_.sequence;
}

void Store::format() {
    const std::string& dir = options_.dir;
    auto names = env_.list(dir);
    if (!names) throw Failure(names.error());
    for (const std::string& name : *names) {
        if (segment_number(name) == 0) continue;
        throw Failure(dir + " holds " + name + ", but the ballot (" + StateFile::kNames[0] + ", " +
                      StateFile::kNames[1] + ") is missing." + advice(dir));
    }
    if (!options_.create) throw Failure("there is no ledger in " + dir);
    state_.state.ledger = options_.fresh_ledger;
    state_.state.node = options_.node;
    must(state_file_.format(state_));
}

// Files of segments that are not in use: dropped, or made ready and not taken, when the process ended.
void Store::collect_spares() {
    auto names = env_.list(options_.dir);
    if (!names) throw Failure(names.error());
    std::vector<Segment> unused;
    for (const std::string& name : *names) {
        const uint64_t number = segment_number(name);
        if (number != 0 && (number < state_.first_segment || number > state_.last_segment)) {
            unused.push_back({uint32_t(number), 0, 0, path(name), nullptr});
        } else if (spare_number(name) != 0) {
            auto file = env_.open(path(name), Env::Access::read);
            if (!file) throw Failure(file.error());
            auto size = (*file)->size();
            if (!size) throw Failure(size.error());
            if (*size == options_.segment_bytes && spares_.size() < 2) {
                spares_.push_back(name);
            } else {
                must(env_.unlink(path(name)));
            }
        } else if (name == "new" || name == std::string(StateFile::kNames[0]) + ".new" ||
                   name == std::string(StateFile::kNames[1]) + ".new") {
            must(env_.unlink(path(name)));
        }
    }
    must(retire(unused));
}

Trouble Store::poison(Error error) {
    if (!poison_) poison_ = std::move(error);
    return poison_;
}

Trouble Store::save_state() {
    ++state_.sequence;
    if (Trouble t = state_file_.save(state_)) return poison(*t);
    return {};
}

Result<std::vector<EntryPtr>> Store::read(Index from, Index upto, uint64_t max_bytes) const {
    // In one go, so that the lock is short.
    const size_t most = ASSENT_RARELY(one_entry_read_at_a_time) ? 1 : 4096;
    std::vector<Location> where;
    Segments segments;
    {
        const std::lock_guard guard(mutex_);
        for (Index i = from; i <= upto && table_.has(i) && where.size() < most; i = next(i)) {
            const Location& at = table_[i];
            where.push_back(at);
            if (!segments.contains(at.segment)) segments.emplace(at.segment, segments_.at(at.segment));
        }
        if (where.empty()) {
            return Error{"entry " + std::to_string(from.value) + " is not in the ledger in " + options_.dir};
        }
    }
    std::vector<EntryPtr> entries;
    uint64_t bytes = 0;
    std::unique_ptr<Window> window;
    uint32_t window_segment = 0;
    for (const Location& at : where) {
        const Segment& segment = segments.at(at.segment);
        if (!window || window_segment != at.segment) {
            window = std::make_unique<Window>(*segment.file, size_t(std::clamp<uint64_t>(max_bytes, 4096, 256 << 10)));
            window_segment = at.segment;
        }
        const Index index(from.value + entries.size());
        auto record = read_record(*window, segment, at.offset);
        if (!record) return Error{record.error()};
        const RecordHeader& h = record->header;
        const bool right = record->found && h.kind == RecordKind::entry && h.index == index.value;
        auto entry = right ? wire::decode_entry(record->payload) : Result<EntryPtr>(Error{"the record is damaged"});
        if (entry && (*entry)->position() != Position{Epoch(h.epoch), index}) {
            entry = Result<EntryPtr>(Error{"its record holds another entry"});
        }
        if (!entry) {
            return Error{"cannot read entry " + std::to_string(index.value) + " at offset " +
                         std::to_string(at.offset) + " of " + segment.path + ": " + entry.error()};
        }
        bytes += weight(**entry);
        if (!entries.empty() && bytes > max_bytes) break;
        entries.push_back(std::move(*entry));
    }
    return entries;
}

bool Store::has(Index index) const {
    const std::lock_guard guard(mutex_);
    return table_.has(index);
}

void Store::for_each(const std::function<void(const EntryPtr&)>& fn) const {
    Index from, end;
    {
        const std::lock_guard guard(mutex_);
        from = table_.first;
        end = table_.end();
    }
    while (from < end) {
        auto entries = read(from, prior(end), 1 << 20);
        if (!entries) throw Failure(entries.error() + "." + advice(options_.dir));
        for (const EntryPtr& entry : *entries) fn(entry);
        from = Index(from.value + entries->size());
    }
}

}  // namespace assent::ledger
