// What a start must give, whatever it found: a refusal in words, or a ledger that can be read, gone on with, and found
// again after a power loss.
#pragma once

#include "core/assert.h"
#include "core/recovered.h"
#include "ledger/memory_env.h"
#include "ledger/store.h"

namespace assent::fuzz {

constexpr const char* kLedgerDir = "/ledger";

inline std::string ledger_path(const std::string& name) { return std::string(kLedgerDir) + "/" + name; }

inline ledger::LedgerOptions ledger_options() {
    ledger::LedgerOptions o;
    o.dir = kLedgerDir;
    o.segment_bytes = ledger::kMinSegmentBytes;
    o.node = NodeId(1);
    o.fresh_ledger = LedgerId(42);
    return o;
}

inline EntryPtr entry_after(Position last, std::string data) {
    auto entry = std::make_shared<Entry>();
    entry->index = next(last.index);
    entry->epoch = last.epoch;
    entry->client = {Index(1), 7};
    entry->sequence = entry->index.value;
    entry->data = std::move(data);
    return entry;
}

// Reads all of it: indexes without holes, epochs that never fall, from `first` to `last`. Throws
// Failure if an entry cannot be read (a record's checksum may hold although there is no entry in it).
inline void check_entries(const ledger::Store& store, const ledger::Opened& opened) {
    Recovered recovered(Options(), opened.state, opened.mark, Index());
    Position last{Epoch(), prior(opened.first)};
    while (opened.first && last.index != opened.last.index) {
        const auto entries = store.read(next(last.index), opened.last.index, 4096);  // small: windows cost time
        if (!entries) throw Failure(entries.error());
        ASSENT_ASSERT(!entries->empty());
        for (const EntryPtr& entry : *entries) {
            ASSENT_ASSERT(entry->index == next(last.index) && entry->epoch >= last.epoch);
            last = entry->position();
            if (opened.first == Index(1)) recovered.add(entry);  // compaction has not come yet
        }
    }
    ASSENT_ASSERT(!opened.first || last == opened.last);
}

// Opens what is in `env`; true if the ledger was taken.
inline bool check_recovery(ledger::FaultEnv& env) {
    using namespace ledger;
    Opened opened;
    std::unique_ptr<Store> store;
    try {
        store = Store::open(env, ledger_options(), opened);
        ASSENT_ASSERT(opened.state.node == ledger_options().node && opened.first.value <= opened.last.index.value);
        check_entries(*store, opened);
    } catch (const Failure& failure) {
        const std::string why = failure.what();
        ASSENT_ASSERT(!why.empty() && why.size() < 1024);
        if (!store) return false;
    }
    if (opened.last.index.value >= UINT64_MAX - 1) return true;
    Persist unit;
    unit.append.push_back(entry_after(opened.last, "on"));
    const Position added = unit.append[0]->position();
    ASSENT_ASSERT(!store->write(std::span(&unit, 1)) && !store->sync());
    ASSENT_ASSERT(bool(store->read(added.index, added.index, 1)));
    store.reset();
    env.crash();
    const Opened before = opened;
    store = Store::open(env, ledger_options(), opened);
    ASSENT_ASSERT(opened.last == added && opened.state == before.state && opened.torn_bytes == 0);
    ASSENT_ASSERT(opened.first == (before.first ? before.first : added.index) && opened.mark == before.mark);
    return true;
}

}  // namespace assent::fuzz
