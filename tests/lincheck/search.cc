#include "search.h"

#include <algorithm>

namespace assent::lincheck {
namespace {

constexpr uint64_t kStepsBetweenLooksAtTheClock = 4096;
constexpr size_t kShown = 8;

uint64_t mixed(uint64_t z) {  // splitmix64
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

SetHash hash_of(uint64_t number) {
    const uint64_t high = mixed(number);
    return {high, mixed(high ^ 0x5bf03635f0a31c27ULL)};
}

}  // namespace

Budget::Budget(const Limits& limits) : limits_(limits) {
    if (limits.seconds > 0) {
        end_ = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                      std::chrono::duration<double>(limits.seconds));
    }
}

Budget Budget::part(uint64_t steps) const {
    Budget out = *this;
    out.limits_.steps = std::min(limits_.steps, steps_ + steps);
    return out;
}

bool Budget::take_step() {
    if (exhausted_) return false;
    ++steps_;
    exhausted_ = steps_ > limits_.steps;
    if (limits_.seconds > 0 && steps_ % kStepsBetweenLooksAtTheClock == 0)
        exhausted_ |= std::chrono::steady_clock::now() > end_;
    return !exhausted_;
}

SeenStates::Added SeenStates::add(SetHash state, const Used& used) {
    if (bytes() > memory_bytes_) return Added::no_room;
    if (3 * (taken_slots_ + 1) > 2 * slots_.size()) grow();
    Slot& slot = slot_of(state);
    for (uint32_t at = slot.newest; at; at = ways_[at - 1].older) {
        const auto begin = used_.begin() + ways_[at - 1].begin;
        if (std::includes(used.begin(), used.end(), begin, begin + ways_[at - 1].size)) return Added::seen;
    }
    ways_.push_back({slot.newest, uint32_t(used_.size()), uint32_t(used.size())});
    used_.insert(used_.end(), used.begin(), used.end());
    taken_slots_ += slot.newest == 0;
    slot = {state, uint32_t(ways_.size())};
    return Added::fresh;
}

// With what the vectors take when they grow.
uint64_t SeenStates::bytes() const {
    return 3 * slots_.size() * sizeof(Slot) +
           2 * (ways_.capacity() * sizeof(Way) + used_.capacity() * sizeof(used_[0]));
}

void SeenStates::grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.newest) slot_of(slot.state) = slot;
    }
}

// Where it is or belongs.
SeenStates::Slot& SeenStates::slot_of(SetHash state) {
    size_t at = state.high & (slots_.size() - 1);
    while (slots_[at].newest && slots_[at].state != state) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
}

Search::Search(std::vector<Step> steps, Unknown unknown, Budget& budget)
    : steps_(std::move(steps)), unknown_(unknown), budget_(budget), seen_(budget.memory_bytes()),
      next_(steps_.size() + 2), previous_(steps_.size() + 2), required_(Place(steps_.size())),
      optional_(Place(steps_.size() + 1)) {
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.invoked < b.invoked; });
    for (Place list : {required_, optional_}) next_[list] = previous_[list] = list;
    for (Place place = 0; place < steps_.size(); ++place) {
        append(steps_[place].optional() ? optional_ : required_, place);
        hashes_.push_back(hash_of(place));
    }
}

void Search::append(Place list, Place place) {
    previous_[place] = previous_[list];
    next_[place] = list;
    link_again(place);
}

void Search::unlink(Place place) {
    next_[previous_[place]] = next_[place];
    previous_[next_[place]] = previous_[place];
}

// In the opposite order of unlink, each goes back where it was.
void Search::link_again(Place place) {
    next_[previous_[place]] = place;
    previous_[next_[place]] = place;
}

Verdict Search::run() {
    Cursor cursor{next_[required_], kNeverReturns};
    bool fresh = true;
    while (next_[required_] != required_) {
        if (!budget_.take_step()) return Verdict::could_not_tell;
        if ((fresh && take_fitting_read()) || take_next(cursor)) {
            fresh = true;
            cursor = {next_[required_], kNeverReturns};
            continue;
        }
        if (budget_.exhausted()) return Verdict::could_not_tell;
        note_dead_end();
        const auto after_last = back();
        if (!after_last) return Verdict::not_linearizable;
        fresh = false;
        cursor = *after_last;
    }
    return Verdict::linearizable;
}

// What only reads, may be next and fits can as well be next: wherever else it fitted, leaving it out there changes
// nothing.
bool Search::take_fitting_read() {
    int64_t bound = kNeverReturns;
    for (Place at = next_[required_]; at != required_ && steps_[at].invoked <= bound; at = next_[at]) {
        const Step& step = steps_[at];
        bound = std::min(bound, step.returned);
        if (!step.reads() || !step.when.holds(value_)) continue;
        take(at, value_, bound, true);
        return true;
    }
    return false;
}

// The next one that can be tried from `from` on.
bool Search::take_next(Cursor from) {
    const bool among_optional =
        from.place == optional_ || (from.place < steps_.size() && steps_[from.place].optional());
    if (!among_optional) {
        if (take_required(from)) return true;
        from.place = next_[optional_];
    }
    return take_optional(from);
}

bool Search::fresh(SetHash state) {
    const auto added = seen_.add(state, used_);
    if (added == SeenStates::Added::no_room) budget_.exhaust();
    return added == SeenStates::Added::fresh;
}

// What must happen may be next if it was called before any other that must happen and is not done returned.
bool Search::take_required(Cursor& at) {
    for (; at.place != required_ && steps_[at.place].invoked <= at.bound; at.place = next_[at.place]) {
        const Step& step = steps_[at.place];
        at.bound = std::min(at.bound, step.returned);
        if (step.reads() || !seen_by(step)) continue;
        const auto after = step.after(value_);
        if (!after) continue;
        if (!fresh(done_hash_ ^ hashes_[at.place] ^ hash_of(steps_.size() + *after))) continue;
        take(at.place, *after, at.bound, false);
        return true;
    }
    return false;
}

bool Search::take_optional(Cursor at) {
    for (; at.place != optional_ && steps_[at.place].invoked <= at.bound; at.place = next_[at.place]) {
        const Step& step = steps_[at.place];
        const auto after = step.after(value_);
        if (!after || *after == value_ || !seen_by(step) || has_earlier_twin(at.place)) continue;
        // They could follow each other in circles. What comes next depends on what the key was before.
        if (unknown_ == Unknown::often && !fresh(done_hash_ ^ hash_of(hash_of(value_).low + *after))) continue;
        take(at.place, *after, at.bound, false);
        return true;
    }
    return false;
}

// If the last one taken need not happen, only one that it makes a difference to comes next: else it could be left out,
// or come later.
bool Search::seen_by(const Step& step) const {
    if (taken_.empty() || !steps_[taken_.back().place].optional()) return true;
    return step.when.holds(value_) != step.when.holds(taken_.back().before);
}

// Of those that do the same, the one that was called first is used first.
bool Search::has_earlier_twin(Place place) const {
    const Step& step = steps_[place];
    for (Place at = previous_[place]; at != optional_; at = previous_[at]) {
        if (steps_[at].sets == step.sets && steps_[at].when == step.when) return true;
    }
    return false;
}

void Search::take(Place place, Value after, int64_t bound, bool forced) {
    taken_.push_back({place, value_, bound, forced});
    value_ = after;
    if (steps_[place].optional()) {
        if (unknown_ == Unknown::often) return;
        unlink(place);
        used_.insert(std::lower_bound(used_.begin(), used_.end(), place), place);
        return;
    }
    unlink(place);
    done_hash_ = done_hash_ ^ hashes_[place];
    ++required_done_;
}

void Search::undo(const Taken& last) {
    value_ = last.before;
    if (steps_[last.place].optional() && unknown_ == Unknown::often) return;
    link_again(last.place);
    if (steps_[last.place].optional()) {
        used_.erase(std::lower_bound(used_.begin(), used_.end(), last.place));
        return;
    }
    done_hash_ = done_hash_ ^ hashes_[last.place];
    --required_done_;
}

// Undoes up to the last one that has alternatives; where to look for them.
std::optional<Search::Cursor> Search::back() {
    while (!taken_.empty()) {
        const Taken last = taken_.back();
        taken_.pop_back();
        undo(last);
        if (!last.forced) return Cursor{next_[last.place], last.bound};
    }
    return {};
}

void Search::note_dead_end() {
    if (required_done_ < dead_end_.done || (required_done_ == dead_end_.done && !dead_end_.next.empty())) return;
    dead_end_ = {required_done_, {}, nullptr, {}};
    for (const Taken& t : taken_) {
        if (steps_[t.place].sets && steps_[t.place].when.holds(t.before)) dead_end_.set_by = steps_[t.place].operation;
    }
    for (size_t i = taken_.size() - std::min(taken_.size(), kShown); i < taken_.size(); ++i)
        dead_end_.last.push_back(steps_[taken_[i].place].operation);
    int64_t bound = kNeverReturns;
    for (Place at = next_[required_]; at != required_ && steps_[at].invoked <= bound; at = next_[at]) {
        bound = std::min(bound, steps_[at].returned);
        dead_end_.next.push_back(steps_[at].operation);
    }
}

}  // namespace assent::lincheck
