// The ledger without a thread: write, then sync, then it is durable. The simulator uses it so; Ledger adds the thread.
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "ledger/ledger.h"
#include "ledger/replay.h"
#include "ledger/state_file.h"

namespace assent::ledger {

// Threads: read(), has() and for_each() by any; the rest by one. After the first error every call that writes returns that
// error and does nothing more: the store must be closed and opened again.
class Store {
  public:
    // As Ledger::open.
    static std::unique_ptr<Store> open(Env& env, const LedgerOptions& options, Opened& opened);
    // Leaves everything as a crash would; see close().
    ~Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Carried out in order but for the last state in it, which is written and synced first. Nothing else is durable,
    // and nothing can be read, before sync().
    Trouble write(std::span<const Persist> batch);
    // One fdatasync of the segment that write() left (those it filled were synced when it went on to the next).
    Trouble sync();

    // Frees segments; nothing may be between write() and sync(). The last entry always stays.
    Trouble drop_before(Index index);
    // Is it time to make the next segment?
    bool wants_next() const;
    // Nearly full: do not wait for an idle moment.
    bool wants_next_soon() const;
    // One step of that: at most a mebibyte is written.
    Trouble prepare_next();
    // Notes that all was synced, so that the next start can tell any damage from an unfinished write.
    Trouble close();

    Result<std::vector<EntryPtr>> read(Index from, Index upto, uint64_t max_bytes) const;
    bool has(Index index) const;  // durable
    void for_each(const std::function<void(const EntryPtr&)>& fn) const;

    const NodeState& state() const { return state_.state; }
    const Outline& outline() const { return outline_; }  // as written, durable or not
    uint64_t syncs() const { return syncs_ + state_file_.syncs(); }
    uint64_t bytes() const { return bytes_; }

  private:
    Store(Env& env, const LedgerOptions& options);
    void recover(Opened& opened);
    void format();
    void collect_spares();
    std::string path(const std::string& name) const { return options_.dir + "/" + name; }

    Trouble poison(Error error);
    Trouble save_state();
    // Writing (store_write.cc).
    Trouble put(const Persist& unit);
    Trouble put_entry(const Entry& entry, bool marked);
    Trouble put_note(RecordKind kind, Index index, Epoch epoch = {});
    void put_start();
    void finish(size_t at, RecordHeader header);
    uint64_t end() const { return offset_ + buffer_.size(); }
    bool fits(uint64_t bytes) const;
    Trouble next_segment();
    Trouble flush();
    // Segments (store_segments.cc).
    Trouble make_next(bool whole);
    Trouble adopt(const std::string& from, std::unique_ptr<File> file);
    Trouble retire(const std::vector<Segment>& dropped);

    struct Change {
        Index index;
        Location location;
        bool truncate = false;
    };

    Env& env_;
    const LedgerOptions options_;
    std::unique_ptr<Env::Lock> lock_;
    StateFile state_file_;
    StateBlock state_;
    std::optional<Error> poison_;

    Outline outline_;
    Segment current_;      // number 0: none yet
    bool ended_ = true;    // its last record is an end
    uint64_t offset_ = 0;  // in current_: where buffer_ goes
    uint64_t synced_ = 0;  // in current_: everything below is durable
    bool unsynced_ = false;
    uint32_t prev_ = 0;
    uint32_t run_ = 0;
    std::string buffer_;           // records that are not written yet
    std::vector<Change> changes_;  // for table_, once they are durable

    std::unique_ptr<File> zeroing_;  // "new", on its way to be a segment
    uint64_t zeroed_ = 0;
    std::vector<std::string> spares_;  // names of whole segments that may be used again
    uint64_t syncs_ = 0;
    uint64_t bytes_ = 0;

    mutable std::mutex mutex_;  // of what follows; never held during I/O
    Table table_;               // durable entries
    Segments segments_;
};

}  // namespace assent::ledger
