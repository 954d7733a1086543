// A node's durable log and ballot for one group (doc/ledger-format.md). What is told durable has been through fdatasync.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/failure.h"
#include "core/types.h"
#include "core/update.h"

namespace assent::ledger {

class Env;  // files and syncs; tests put a faulty one in its place (env.h)

struct LedgerOptions {
    std::string dir;                       // /var/lib/assent/GROUP, exists
    uint64_t segment_bytes = 64ull << 20;  // preallocated, really written with zeros
    NodeId node;                           // a ledger of another node id is refused
    LedgerId fresh_ledger;                 // random; used if the ledger has to be formatted
    bool create = true;
};

// What a start found. Every file that holds an entry has been synced again before open() returned (R4).
struct Opened {
    NodeState state;
    Index first;  // 0: empty
    Position last;
    Index mark;
    bool formatted = false;   // it was made just now
    uint64_t torn_bytes = 0;  // an unfinished last record was cut
    uint64_t run = 0;         // greater at each start
};

struct LedgerStats {
    uint64_t syncs = 0;
    uint64_t batches = 0;
    uint64_t bytes = 0;
    uint64_t fsync_p99_us = 0;
    int64_t oldest_pending_us = 0;  // CLOCK_MONOTONIC time at which the oldest unfinished unit came; 0: none
};

// Threads: open() by anybody; then submit/completed/read/stats by the loop thread; an own thread writes and syncs.
class Ledger {
  public:
    // Recovers; throws Failure naming file, offset and what to do next if anything but the last record is damaged, if it
    // belongs to another node, is of a newer format, or is locked by another process.
    static std::unique_ptr<Ledger> open(Env& env, const LedgerOptions& options, Opened& opened);
    virtual ~Ledger() = default;

    // Every entry in order, streamed (only before the first submit).
    virtual void for_each(const std::function<void(const EntryPtr&)>& fn) = 0;

    // Queued; all that came during a sync goes into the next one. Never blocks on the disk.
    virtual void submit(Persist&& unit) = 0;
    // Readable (eventfd) when completed() has moved.
    virtual int event_fd() const = 0;
    // The greatest seq that is durable; resets event_fd. If a write or sync failed: calls the failure handler instead
    // of ever moving again.
    virtual PersistSeq completed() = 0;

    // Called at the first failed write or sync, on the ledger thread, and at each read of an entry that the ledger has and that
    // cannot be read, on the reader's. The default prints and ends the process with _exit(1).
    virtual void on_failure(std::function<void(const std::string&)> handler) = 0;

    // Entries from `from` to at most `upto`, at least one if it is there, then while they fit max_bytes. Only what is
    // durable is found. Reads the page cache or the disk; runs on the caller's thread. Error: not there; or
    // damaged, which is a failure of the ledger.
    virtual Result<std::vector<EntryPtr>> read(Index from, Index upto, uint64_t max_bytes) = 0;
    // Segments that hold nothing at or above `index` may be used again. (R11; the ledger begins later from then on.)
    virtual void drop_before(Index index) = 0;
    virtual LedgerStats stats() const = 0;
};

}  // namespace assent::ledger
