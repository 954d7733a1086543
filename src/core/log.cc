#include "core/log.h"

#include <algorithm>

#include "core/assert.h"

namespace assent {

void Log::restore(Position last, std::vector<Run> runs, std::vector<EntryPtr> configs, std::vector<EntryPtr> tail,
                  Index released) {
    runs_ = std::move(runs);
    configs_ = std::move(configs);
    first_kept_ = next(released);
    last_ = tail.empty() ? last : Position{};
    for (EntryPtr& e : tail) {
        ASSENT_ASSERT(e->index.value == first_kept_.value + kept_.size());
        bytes_.push_back((bytes_.empty() ? 0 : bytes_.back()) + weight(*e));
        last_ = e->position();
        kept_.push_back(std::move(e));
    }
    ASSENT_ASSERT(last_ == last);
    ASSENT_ASSERT(last_.index.value + 1 == first_kept_.value + kept_.size());
}

std::optional<Epoch> Log::epoch_at(Index index) const {
    if (!index) return Epoch(0);
    if (index > last_.index) return std::nullopt;
    auto after = std::upper_bound(runs_.begin(), runs_.end(), index, [](Index i, const Run& r) { return i < r.first; });
    if (after == runs_.begin()) return std::nullopt;
    return std::prev(after)->epoch;
}

EntryPtr Log::entry(Index index) const {
    if (index < first_kept_ || index > last_.index) return nullptr;
    return kept_[index.value - first_kept_.value];
}

uint64_t Log::bytes_above(Index index) const {
    if (kept_.empty() || index >= last_.index) return 0;
    uint64_t below = index < first_kept_ ? bytes_before_ : bytes_[index.value - first_kept_.value];
    return bytes_.back() - below;
}

const Config& Log::config() const {
    static const Config none;
    return configs_.empty() ? none : *configs_.back()->config;
}

const Config* Log::previous_config() const {
    return configs_.size() < 2 ? nullptr : configs_[configs_.size() - 2]->config.get();
}

std::vector<EntryPtr> Log::configs_from(Index index) const {
    auto first = configs_.begin();
    for (auto it = configs_.begin(); it != configs_.end() && (*it)->index <= index; ++it) first = it;
    return {first, configs_.end()};
}

void Log::append(const EntryPtr& entry) {
    ASSENT_ASSERT(entry->index == next(last_.index));
    ASSENT_ASSERT(entry->epoch >= last_.epoch);
    if (runs_.empty() || runs_.back().epoch != entry->epoch) runs_.push_back({entry->epoch, entry->index});
    if (entry->kind == EntryKind::config) configs_.push_back(entry);
    bytes_.push_back((bytes_.empty() ? bytes_before_ : bytes_.back()) + weight(*entry));
    kept_.push_back(entry);
    last_ = entry->position();
}

void Log::truncate_from(Index from) {
    ASSENT_ASSERT(from >= first_kept_ && from <= last_.index);
    while (!kept_.empty() && kept_.back()->index >= from) {
        kept_.pop_back();
        bytes_.pop_back();
    }
    while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
    while (!configs_.empty() && configs_.back()->index >= from) configs_.pop_back();
    last_.index = prior(from);
    last_.epoch = epoch_at(last_.index).value_or(Epoch(0));
}

void Log::release(Index upto) {
    while (!kept_.empty() && first_kept_ <= upto) {
        bytes_before_ = bytes_.front();
        kept_.pop_front();
        bytes_.pop_front();
        first_kept_ = next(first_kept_);
    }
}

}  // namespace assent
