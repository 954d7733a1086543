// Gives one reader its verdicts in order, at its own pace: from a bounded window of the newest, else out of the ledger,
// which a thread reads so that the loop never waits for the disk.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/failure.h"
#include "core/verdict_reader.h"

namespace assent::attached {

struct FeedOptions {
    uint64_t window_bytes = 8 << 20;  // of the newest verdicts
    uint64_t read_bytes = 1 << 20;    // read from the ledger at a time
};

struct FeedHooks {
    // Ledger::read. Called on the feed's thread.
    std::function<Result<std::vector<EntryPtr>>(Index from, Index upto, uint64_t max_bytes)> read;
    std::function<void(std::function<void()>)> post;  // onto the loop, from any thread
    std::function<void()> more;                       // front() may have something now
};

// Loop's thread only, but for the thread inside.
class VerdictFeed {
  public:
    // `handed`: verdicts up to handed.confirm were given out before, and are in the ledger (Replica::handed()).
    VerdictFeed(const VerdictPair& handed, const FeedOptions& options, FeedHooks hooks);
    // Waits for a read that is under way.
    ~VerdictFeed();
    VerdictFeed(const VerdictFeed&) = delete;
    VerdictFeed& operator=(const VerdictFeed&) = delete;

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
    struct Job {
        Index from;
        Index upto;
        VerdictPair handed;
        uint64_t number = 0;
    };
    struct Readings {
        std::vector<Verdict> verdicts;
        std::string trouble;
    };

    void ask_for(Index upto);
    void run();
    Readings carry_out(const Job& job);
    void finished(uint64_t number, Readings readings);

    const FeedOptions options_;
    const FeedHooks hooks_;
    VerdictPair handed_;
    Index next_{1};
    std::deque<Verdict> window_;
    uint64_t window_bytes_ = 0;
    std::deque<Verdict> ready_;  // read from the ledger; begins with next_
    uint64_t job_ = 0;           // the newest that was begun; its result alone is used
    bool reading_ = false;
    std::string trouble_;
    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

    // Of the thread.
    std::optional<VerdictReader> reader_;
    Index read_at_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<Job> todo_;  // under mutex_
    bool stop_ = false;        // under mutex_
    std::thread thread_;       // begun with the first job
};

}  // namespace assent::attached
