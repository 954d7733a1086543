// A start on arbitrary bytes: of a segment or of the ballot, raw or with right checksums. It may refuse, in words; what
// it takes it must be able to read, to go on with, and to find again.
#include <cstdlib>

#include "base/crc32c.h"
#include "ledger/memory_env.h"
#include "ledger/store.h"

namespace {

using namespace assent;
using namespace assent::ledger;

constexpr const char* kDir = "/ledger";

LedgerOptions options() {
    LedgerOptions o;
    o.dir = kDir;
    o.segment_bytes = 8192;
    o.node = NodeId(1);
    o.fresh_ledger = LedgerId(42);
    return o;
}

void put32(std::string& bytes, size_t at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) bytes[at + i] = char(value >> (8 * i));
}

// Chains and checksums made right, so that what lies behind them is reached.
void mend_records(std::string& bytes) {
    uint32_t prev = 0;
    const uint32_t use = use_of(LedgerId(42), 1);
    for (size_t at = kBlockBytes; at + kRecordHeaderBytes <= bytes.size();) {
        put32(bytes, at + 4, prev);
        put32(bytes, at + 8, use);
        put32(bytes, at + 12, 0);
        put32(bytes, at + 16, kBlockBytes);
        for (size_t i = 26; i < 32; ++i) bytes[at + i] = 0;
        bytes[at + 21] = bytes[at + 22] = bytes[at + 23] = 0;
        const size_t size = record_bytes(uint8_t(bytes[at + 20]));
        if (at + size > bytes.size()) return;
        prev = crc32c(std::string_view(bytes).substr(at + 4, size - 4));
        put32(bytes, at, prev);
        at += size;
    }
}

void check(bool holds) {
    if (!holds) std::abort();
}

EntryPtr entry_after(Position last) {
    auto entry = std::make_shared<Entry>();
    entry->index = next(last.index);
    entry->epoch = last.epoch;
    entry->data = "on";
    return entry;
}

void go_on(FaultEnv& env) {
    Opened opened;
    auto store = Store::open(env, options(), opened);
    bool readable = true;
    uint64_t entries = 0;
    try {
        store->for_each([&](const EntryPtr&) { ++entries; });
    } catch (const Failure&) {
        readable = false;  // a record's checksum may hold although no entry is in it
    }
    check(!readable || !opened.first || entries == opened.last.index.value - opened.first.value + 1);
    if (opened.last.index.value >= UINT64_MAX - 1) return;
    Persist unit;
    unit.append.push_back(entry_after(opened.last));
    const Position added = unit.append[0]->position();
    if (store->write(std::span(&unit, 1)) || store->sync()) return;
    check(bool(store->read(added.index, added.index, 1)));
    store.reset();
    env.crash();
    store = Store::open(env, options(), opened);
    check(opened.last == added && opened.torn_bytes == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1) return 0;
    const std::string input(reinterpret_cast<const char*>(data + 1), size - 1);
    FaultEnv env;
    Opened opened;
    Store::open(env, options(), opened);
    const std::string segment = std::string(kDir) + "/" + segment_name(1);
    std::string bytes = env.contents(segment);
    switch (data[0] % 4) {
        case 0: bytes = input; break;
        case 1:
        case 2: {
            const size_t room = std::min(input.size(), bytes.size() - kBlockBytes);
            bytes.replace(kBlockBytes, room, input, 0, room);
            if (data[0] % 4 == 2) mend_records(bytes);
            break;
        }
        case 3: {
            std::string block = env.contents(std::string(kDir) + "/state-a");
            block.replace(16, std::min<size_t>(input.size(), kBlockBytes - 20), input, 0, kBlockBytes - 20);
            const uint32_t checksum = crc32c(std::string_view(block).substr(0, kBlockBytes - 4));
            if (input.size() % 2 == 0) put32(block, kBlockBytes - 4, checksum);
            for (const char* name : StateFile::kNames) env.set_contents(std::string(kDir) + "/" + name, block);
            break;
        }
    }
    env.set_contents(segment, bytes);
    try {
        go_on(env);
    } catch (const Failure&) {
    }
    return 0;
}
