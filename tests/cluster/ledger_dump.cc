// assent-test-ledger FOLDER: the entries of a ledger whose daemon does not run, "INDEX EPOCH CRC" a line, with what was
// truncated left out, so that ledgers can be compared. Nothing is changed.
#include <cstdio>
#include <map>
#include <string>

#include "base/crc32c.h"
#include "base/failure.h"
#include "ledger/env.h"
#include "ledger/replay.h"

using namespace assent;

namespace {

struct Entry {
    uint64_t epoch;
    uint32_t crc;
};

int dump(const std::string& folder) {
    std::map<uint64_t, Entry> entries;
    ledger::walk(ledger::posix_env(), folder,
                 [&](const ledger::Segment&, uint32_t, const ledger::RecordHeader& header, std::string_view payload) {
                     if (header.kind == ledger::RecordKind::truncate)
                         entries.erase(entries.lower_bound(header.index), entries.end());
                     if (header.kind == ledger::RecordKind::entry)
                         entries[header.index] = {header.epoch, crc32c(payload)};
                 });
    for (const auto& [index, entry] : entries)
        std::printf("%llu %llu %08x\n", static_cast<unsigned long long>(index),
                    static_cast<unsigned long long>(entry.epoch), entry.crc);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: assent-test-ledger FOLDER\n");
        return 64;
    }
    try {
        return dump(argv[1]);
    } catch (const Failure& failure) {
        std::fprintf(stderr, "assent-test-ledger: %s\n", failure.what());
        return 1;
    }
}
