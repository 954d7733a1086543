// Store: segments are made ahead, dropped and used again.
#include <algorithm>

#include "core/planted.h"
#include "ledger/store.h"

namespace assent::ledger {
namespace {

constexpr uint64_t kZeroStep = 1 << 20;
constexpr size_t kMostSpares = 2;

}  // namespace

bool Store::wants_next() const {
    if (poison_ || current_.number == 0 || current_.number != state_.last_segment) return false;
    if (ASSENT_RARELY(next_segment_not_made_ahead)) return false;
    return end() > current_.capacity / 4 || ASSENT_RARELY(next_segment_made_at_once);
}

bool Store::wants_next_soon() const { return wants_next() && end() > current_.capacity / 2; }

Trouble Store::prepare_next() {
    if (poison_) return poison_;
    return make_next(false);
}

// After it there is a segment to go on to (whole), or we are one step nearer.
Trouble Store::make_next(bool whole) {
    if (poison_) return poison_;
    if (state_.last_segment >= std::max<uint64_t>(state_.first_segment, current_.number + 1ull)) return {};
    if (!spares_.empty()) {
        const std::string name = spares_.back();
        spares_.pop_back();
        auto file = env_.open(path(name), Env::Access::write);
        if (!file) return poison(Error{file.error()});
        return adopt(path(name), std::move(*file));
    }
    if (!zeroing_) {
        auto file = env_.open(path("new"), Env::Access::create);
        if (!file) return poison(Error{file.error()});
        zeroing_ = std::move(*file);
        zeroed_ = 0;
    }
    do {
        // Really written: blocks that are merely allocated would be converted, with a journal write, by the first sync.
        const uint64_t step = ASSENT_RARELY(segment_zeroed_in_small_steps) ? kMinSegmentBytes : kZeroStep;
        const std::string zeros(std::min(step, options_.segment_bytes - zeroed_), '\0');
        if (Trouble t = zeroing_->write_at(zeroed_, zeros)) return poison(*t);
        zeroed_ += zeros.size();
        if (whole && zeroed_ < options_.segment_bytes) continue;
        ++syncs_;
        if (Trouble t = zeroing_->sync()) return poison(*t);
        if (zeroed_ == options_.segment_bytes) return adopt(path("new"), std::move(zeroing_));
    } while (whole);
    return {};
}

// A file of the right size becomes the next segment. It counts only once the state says so; then its header is durable.
Trouble Store::adopt(const std::string& from, std::unique_ptr<File> file) {
    const auto number = uint32_t(state_.last_segment + 1);
    const SegmentBlock block{state_.state.ledger, number, options_.segment_bytes};
    const std::string to = path(segment_name(number));
    ++syncs_;
    if (Trouble t = file->write_at(0, encode_segment(block))) return poison(*t);
    if (Trouble t = file->sync()) return poison(*t);
    if (Trouble t = env_.rename(from, to)) return poison(*t);
    const bool unsynced = ASSENT_MUTANT(folder_not_synced_for_a_new_segment);
    if (Trouble t = unsynced ? Trouble() : env_.sync_dir(options_.dir)) return poison(*t);
    state_.last_segment = number;
    if (Trouble t = save_state()) return t;
    const std::lock_guard guard(mutex_);
    segments_.emplace(number, Segment{number, use_of(block.ledger, number), block.capacity, to, std::move(file)});
    return {};
}

Trouble Store::drop_before(Index index) {
    if (poison_) return poison_;
    if (current_.number == 0) return {};
    // A segment without records does not know the mark yet.
    uint32_t keep = end() > kBlockBytes ? current_.number : current_.number - 1;
    {
        const std::lock_guard guard(mutex_);
        if (!table_.at.empty()) keep = table_[std::clamp(index, table_.first, prior(table_.end()))].segment;
    }
    if (keep <= state_.first_segment) return {};
    state_.first_segment = keep;
    if (Trouble t = save_state()) return t;
    std::vector<Segment> dropped;
    {
        const std::lock_guard guard(mutex_);
        table_.drop_segments_below(keep);
        while (segments_.begin()->first < keep) {
            dropped.push_back(segments_.begin()->second);
            segments_.erase(segments_.begin());
        }
        if (!table_.at.empty()) outline_.drop_before(table_.first);
    }
    return retire(dropped);
}

// No longer part of the ledger, as the state says durably: spare, or gone.
Trouble Store::retire(const std::vector<Segment>& dropped) {
    std::vector<std::string> spares;
    for (const Segment& segment : dropped) {
        auto file = env_.open(segment.path, Env::Access::read);
        if (!file) return poison(Error{file.error()});
        auto size = (*file)->size();
        if (!size) return poison(Error{size.error()});
        if (*size == options_.segment_bytes && spares_.size() + spares.size() < kMostSpares) {
            spares.push_back(spare_name(segment.number));
            if (Trouble t = env_.rename(segment.path, path(spares.back()))) return poison(*t);
        } else if (Trouble t = env_.unlink(segment.path)) {
            return poison(*t);
        }
    }
    // Only then may they be written to: else a crash could leave one file under two names.
    if (!dropped.empty()) {
        if (Trouble t = env_.sync_dir(options_.dir)) return poison(*t);
    }
    spares_.insert(spares_.end(), spares.begin(), spares.end());
    return {};
}

}  // namespace assent::ledger
