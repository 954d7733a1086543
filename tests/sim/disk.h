// A node's disk: the ledger's own files and recovery on memory that fails (ledger/memory_env.h), on virtual time.
// Works as the ledger's thread does (ledger/ledger.cc): what came during a sync goes into the next one.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/update.h"
#include "ledger/memory_env.h"
#include "ledger/store.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

struct DiskContent {
    NodeState state;
    std::vector<EntryPtr> entries;  // index 1 first
    Index mark;
};

class Disk {
  public:
    // How the daemon, or its host, ended by something that happened to the disk.
    enum class End { failure, kill, power };
    struct Hooks {
        std::function<void(const Persist&)> synced;  // each unit, in order,
        std::function<void(PersistSeq)> completed;   // then the last one's number
        std::function<void(End, const std::string&)> ended;
        std::function<void(bool)> small_writes = {};  // are wanted while the ledger writes, or no more
    };
    // All chance comes from `seed`.
    Disk(Schedule& schedule, uint64_t seed, NodeId node, Span latency, uint64_t segment_bytes, Hooks hooks);

    struct Opening {
        bool open = false;
        bool refused = false;  // for ever; else another start may do it
        std::string why;
        DiskContent content;
        uint64_t run = 0;
        std::string broken;  // I9: what is missing, or a refusal that nothing had been done for
    };
    // The daemon starts: recovery on what is there. `fresh` is the ledger's id should it have to be made.
    Opening open(LedgerId fresh);
    // For an open disk.
    void submit(Persist unit);
    // As the ledger's (ledger/ledger.h): the daemon ends if it has the entry and cannot read it.
    Result<std::vector<EntryPtr>> read(Index from, Index upto, uint64_t max_bytes);
    // All from there on, as far as they can be read.
    std::vector<EntryPtr> stored(Index from);

    // The process ended; the kernel still has what was written.
    void kill();
    // What was not synced is lost, in part or all of it.
    void power_loss();

    // Faults.
    void slow_down(uint64_t factor) { factor_ = factor; }
    void hang(int64_t for_us) { hangs_until_ = schedule_.now() + for_us; }
    int64_t hangs_for() const { return std::max<int64_t>(0, hangs_until_ - schedule_.now()); }
    void fail(ledger::FaultEnv::Op op, uint64_t nth) { env_.fail(op, nth); }
    void fill(uint64_t room) { env_.set_room(room); }
    // The process or the power ends at the nth operation on the files from now on, and before it is done.
    void end_at(uint64_t nth, End how);
    // And after that once more.
    void then_end_at(uint64_t nth, End how) { then_ = {nth, how}; }
    // The power goes when a batch of some entries is written and not synced, and leaves holes in it.
    void lose_a_batch() { loses_batch_ = true; }
    // At each coming start the nth write fails, half done.
    void fail_starts(std::vector<uint64_t> nth) { failing_starts_ = std::move(nth); }
    // A flipped bit, or a sector that is lost, in any place of what is durable but for the one of which the format
    // cannot tell (doc/ledger-format.md: the last batch). The text says where; empty: nothing was done.
    std::string damage();
    bool damaged() const { return damaged_; }
    // All of the above but damage is over.
    void mend();
    // Empty and whole; only while the daemon is down.
    void wipe();

  private:
    struct Cut {};  // thrown out of an operation
    void operation(ledger::FaultEnv::Op op, const std::string& path);
    End take_end();
    void ended(End how, const std::string& why);
    void find_old_records();
    struct Place {
        std::string path;
        uint64_t offset;
    };

    void work();
    void sync();
    void prepare();
    void later(void (Disk::*what)());
    void forget();
    // False: it failed, and whoever owns the disk will be told.
    template <typename F> bool done(F&& operation);
    std::string lost(const DiskContent& found) const;
    Place any_place(const std::map<std::string, std::string>& files);
    bool can_be_told(const Place& place, uint64_t bytes) const;

    Schedule& schedule_;
    Random random_;
    Hooks hooks_;
    ledger::FaultEnv env_;
    ledger::LedgerOptions options_;
    std::unique_ptr<ledger::Store> store_;
    std::vector<Persist> queue_;
    std::vector<Persist> batch_;  // being written and synced
    bool busy_ = false;
    bool woken_ = false;
    uint64_t life_ = 0;  // what an earlier life began changes nothing

    DiskContent synced_;             // as was reported
    std::vector<Persist> unsynced_;  // batches after it that may be there, in part

    Span latency_;
    uint64_t factor_ = 1;
    int64_t hangs_until_ = 0;
    uint64_t end_at_ = 0;  // 0: nothing is planned
    End end_how_ = End::kill;
    std::pair<uint64_t, End> then_{0, End::kill};
    bool mended_ = false;  // nothing fails any more
    bool loses_batch_ = false;
    bool holes_ = false;  // in what the power loss that comes leaves
    std::vector<uint64_t> failing_starts_;
    std::set<uint64_t> old_records_;  // where they begin, in the segment that the start found to be the last
    uint64_t end_at_start_ = 0;
    bool damaged_ = false;
};

}  // namespace assent::sim
