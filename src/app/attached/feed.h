// Gives one reader its verdicts in order, at its own pace: from a bounded window of the newest, else out of the ledger.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "app/ledger_pieces.h"

namespace assent::attached {

struct FeedOptions {
    uint64_t window_bytes = 8 << 20;  // of the newest verdicts
    uint64_t read_bytes = 1 << 20;    // read from the ledger at a time
};

struct FeedHooks {
    LedgerPieces::ReadFn read;
    LedgerPieces::PostFn post;
    std::function<void()> more;  // front() may have something now
};

// Loop's thread only.
class VerdictFeed {
  public:
    // `handed`: verdicts up to handed.confirm were given out before, and are in the ledger (Replica::handed()).
    VerdictFeed(const VerdictPair& handed, const FeedOptions& options, FeedHooks hooks);

    // The newest verdicts; `handed` is Replica::handed() after them.
    void add(std::vector<Verdict> verdicts, const VerdictPair& handed);
    // The reader is a new one and wants those from here on.
    void restart(Index next);

    // The next one, or null: it is being read, or there is none yet.
    const Verdict* front();
    void pop();
    // Nothing is left to give.
    bool caught_up() const { return next_ > handed_.confirm; }
    // The next one has to be read from the ledger.
    bool behind() const { return !caught_up() && (window_.empty() || next_ < window_.front().entry->index); }
    Index newest() const { return handed_.confirm; }
    // Why the ledger could not be read; empty: it can. Tried again with retry().
    const std::string& trouble() const { return trouble_; }
    void retry() { trouble_.clear(); }

  private:
    void ask_for(Index upto);
    void finished(uint64_t job, LedgerPieces::Piece piece);

    const FeedOptions options_;
    const std::function<void()> more_;
    VerdictPair handed_;
    Index next_{1};
    std::deque<Verdict> window_;
    uint64_t window_bytes_ = 0;
    std::deque<Verdict> ready_;  // read from the ledger; begins with next_
    uint64_t job_ = 0;           // the newest that was begun; its result alone is used
    bool reading_ = false;
    std::string trouble_;
    LedgerPieces pieces_;
};

}  // namespace assent::attached
