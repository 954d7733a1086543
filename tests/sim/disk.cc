#include "disk.h"

#include <algorithm>

namespace assent::sim {

UnitDisk::UnitDisk(Schedule& schedule, Random& random, Span latency, std::function<void(const Persist&)> synced)
    : schedule_(schedule), random_(random), latency_(latency), synced_(std::move(synced)) {}

void UnitDisk::submit(Persist unit) {
    pending_.push_back(std::move(unit));
    if (!syncing_) sync();
}

void UnitDisk::sync() {
    if (pending_.empty()) return;
    syncing_ = pending_.size();
    schedule_.after(random_.pick(latency_) * int64_t(factor_), [this, life = life_] {
        if (life != life_) return;
        std::deque<Persist> batch(std::make_move_iterator(pending_.begin()),
                                  std::make_move_iterator(pending_.begin() + long(syncing_)));
        pending_.erase(pending_.begin(), pending_.begin() + long(syncing_));
        syncing_ = 0;
        for (const Persist& unit : batch) {
            take(unit);
            synced_(unit);
        }
        if (!syncing_) sync();
    });
}

void UnitDisk::take(const Persist& unit) {
    if (unit.state) content_.state = *unit.state;
    if (unit.truncate_from && unit.truncate_from.value <= content_.entries.size()) {
        content_.entries.resize(unit.truncate_from.value - 1);
        content_.mark = std::min(content_.mark, Index(content_.entries.size()));
    }
    content_.entries.insert(content_.entries.end(), unit.append.begin(), unit.append.end());
    if (unit.mark) content_.mark = *unit.mark;
}

void UnitDisk::take_part(const Persist& unit) {
    size_t steps = random_.below(3 + unit.append.size());  // how many of them were written
    Persist part;
    if (steps > 0) part.state = unit.state;
    if (steps > 1) part.truncate_from = unit.truncate_from;
    for (size_t i = 0; i < unit.append.size() && i + 2 < steps; ++i) part.append.push_back(unit.append[i]);
    take(part);
}

void UnitDisk::crash() {
    ++life_;
    size_t kept = pending_.empty() ? 0 : random_.below(pending_.size() + 1);
    for (size_t i = 0; i < kept; ++i) take(pending_[i]);
    if (kept < pending_.size()) take_part(pending_[kept]);
    pending_.clear();
    syncing_ = 0;
}

std::vector<EntryPtr> UnitDisk::read(Index from, Index upto, uint64_t max_bytes) const {
    std::vector<EntryPtr> found;
    uint64_t bytes = 0;
    for (uint64_t i = from.value; i && i <= upto.value && i <= content_.entries.size(); ++i) {
        bytes += weight(*content_.entries[i - 1]);
        if (bytes > max_bytes && !found.empty()) break;
        found.push_back(content_.entries[i - 1]);
    }
    return found;
}

}  // namespace assent::sim
