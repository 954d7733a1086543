#include "memory_store.h"

namespace assent::sim {

void MemoryStore::carry_out(const Write& write, Keys& keys) {
    for (const Change& change : write.changes) {
        if (change.value) {
            keys[change.key] = *change.value;
        } else {
            keys.erase(change.key);
        }
    }
}

void MemoryStore::flush(size_t writes) {
    for (; writes > 0; --writes) {
        carry_out(unflushed_.front(), disk_);
        durable_ = unflushed_.front().applied;
        unflushed_.pop_front();
    }
}

void MemoryStore::crash() {
    keys_ = disk_;
    unflushed_.clear();
    collected_ = {};
}

bool MemoryStore::get(std::string_view key, std::string& value) {
    const auto it = keys_.find(key);
    if (it == keys_.end()) return false;
    value = it->second;
    return true;
}

void MemoryStore::scan(std::string_view from, std::string_view end, const Each& each) {
    for (auto it = keys_.lower_bound(from); it != keys_.end() && it->first < end; ++it) {
        if (!each(it->first, it->second)) return;
    }
}

void MemoryStore::put(std::string_view key, std::string_view value) {
    collected_.changes.push_back({std::string(key), std::string(value)});
}

void MemoryStore::erase(std::string_view key) { collected_.changes.push_back({std::string(key), std::nullopt}); }

void MemoryStore::write(Index applied, uint64_t) {
    collected_.applied = applied;
    carry_out(collected_, keys_);
    unflushed_.push_back(std::move(collected_));
    collected_ = {};
}

}  // namespace assent::sim
