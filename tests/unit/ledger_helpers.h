// What the tests of the ledger share.
#pragma once

#include <gtest/gtest.h>

#include "ledger/memory_env.h"
#include "ledger/store.h"
#include "wire/entry_codec.h"

namespace assent::ledger {

constexpr const char* kDir = "/ledger";

inline LedgerOptions test_options(uint64_t segment_bytes = 64 << 10) {
    LedgerOptions options;
    options.dir = kDir;
    options.segment_bytes = segment_bytes;
    options.node = NodeId(7);
    options.fresh_ledger = LedgerId(0x1122334455667788);
    return options;
}

inline std::string segment_path(uint64_t number) { return std::string(kDir) + "/" + segment_name(number); }

inline EntryPtr test_entry(uint64_t index, uint64_t epoch = 1, size_t size = 20, char fill = 'x') {
    auto entry = std::make_shared<Entry>();
    entry->index = Index(index);
    entry->epoch = Epoch(epoch);
    entry->client = {Index(1), 99};
    entry->sequence = index;
    entry->data = std::string(size, fill) + std::to_string(index);
    return entry;
}

inline Persist appending(uint64_t from, uint64_t count, uint64_t epoch = 1, size_t size = 20) {
    Persist unit;
    for (uint64_t i = from; i < from + count; ++i) unit.append.push_back(test_entry(i, epoch, size));
    return unit;
}

inline Persist truncating(uint64_t from) {
    Persist unit;
    unit.truncate_from = Index(from);
    return unit;
}

inline Persist marking(uint64_t index) {
    Persist unit;
    unit.mark = Index(index);
    return unit;
}

inline std::string bytes_of(const Entry& entry) {
    std::string bytes;
    wire::encode_entry(entry, bytes);
    return bytes;
}

inline std::vector<EntryPtr> all(const Store& store) {
    std::vector<EntryPtr> entries;
    store.for_each([&](const EntryPtr& entry) { entries.push_back(entry); });
    return entries;
}

inline void keep(Store& store, const Persist& unit) {
    ASSERT_FALSE(store.write(std::span(&unit, 1)));
    ASSERT_FALSE(store.sync());
}

// Entries `from`, `from`+1 … as appending() makes them.
inline void expect_entries(const Store& store, uint64_t from, uint64_t count, uint64_t epoch = 1, size_t size = 20) {
    const auto entries = all(store);
    ASSERT_EQ(entries.size(), count);
    for (uint64_t i = 0; i < count; ++i) {
        EXPECT_EQ(bytes_of(*entries[i]), bytes_of(*test_entry(from + i, epoch, size)));
    }
}

inline std::string refusal(FaultEnv& env, const LedgerOptions& options) {
    Opened opened;
    try {
        Store::open(env, options, opened);
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "";
}

}  // namespace assent::ledger
