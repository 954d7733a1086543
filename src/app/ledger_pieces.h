// Verdicts out of the ledger, piece by piece, for readers that are behind the newest. A thread reads, so that the loop
// never waits for the disk.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/failure.h"
#include "core/verdict_reader.h"

namespace assent {

// Loop's thread only, but for the thread inside.
class LedgerPieces {
  public:
    // Ledger::read. Called on the thread.
    using ReadFn = std::function<Result<std::vector<EntryPtr>>(Index from, Index upto, uint64_t max_bytes)>;
    using PostFn = std::function<void(std::function<void()>)>;  // onto the loop, from any thread
    struct Piece {
        std::vector<Verdict> verdicts;  // from the index asked for on, without holes; not empty if there is no trouble
        std::string trouble;            // why the ledger could not be read
    };
    using DoneFn = std::function<void(Piece)>;

    LedgerPieces(ReadFn read, PostFn post) : read_(std::move(read)), post_(std::move(post)) {}
    // Waits for a read that is under way.
    ~LedgerPieces();
    LedgerPieces(const LedgerPieces&) = delete;
    LedgerPieces& operator=(const LedgerPieces&) = delete;

    // Some verdicts from `from` to `upto`, which is at most handed.confirm (Replica::handed()). Reads about `bytes` at a
    // time, and no more than what it takes to know them. `done` is called on the loop; not if another piece is asked for
    // before this one is begun, nor after the end of this object.
    void ask(Index from, Index upto, const VerdictPair& handed, uint64_t bytes, DoneFn done);

  private:
    struct Job {
        Index from;
        Index upto;
        VerdictPair handed;
        uint64_t bytes = 0;
        DoneFn done;
    };

    void run();
    Piece carry_out(const Job& job);

    const ReadFn read_;
    const PostFn post_;
    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

    // Of the thread. What it knows beyond the last piece saves reading it again.
    std::optional<VerdictReader> reader_;
    Index read_at_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<Job> todo_;  // under mutex_
    bool stop_ = false;        // under mutex_
    std::thread thread_;       // begun with the first job
};

}  // namespace assent
