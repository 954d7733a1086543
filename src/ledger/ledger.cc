#include "ledger/ledger.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "base/event_fd.h"
#include "ledger/store.h"

namespace assent::ledger {
namespace {

int64_t monotonic_us() {
    // libstdc++'s steady_clock is CLOCK_MONOTONIC.
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(t).count();
}

class ThreadedLedger : public Ledger {
  public:
    ThreadedLedger(std::unique_ptr<Store> store, const std::string& dir) : dir_(dir), store_(std::move(store)) {
        handler_ = [dir](const std::string& what) {
            std::fprintf(
                stderr,
                "assentd: the ledger in %s failed: %s. What to do: see to the disk (room, errors in the system "
                "log) and start again; the process ends now, as nothing that it says could be relied on.\n",
                dir.c_str(), what.c_str());
            ::_exit(1);
        };
        thread_ = std::thread([this] { run(); });
    }

    ~ThreadedLedger() override {
        {
            const std::lock_guard guard(mutex_);
            stop_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    void for_each(const std::function<void(const EntryPtr&)>& fn) override { store_->for_each(fn); }

    void submit(Persist&& unit) override {
        {
            const std::lock_guard guard(mutex_);
            if (queue_.empty()) queued_since_us_ = monotonic_us();
            // What is to go is not to be read while it is still there.
            if (unit.truncate_from) {
                hidden_from_ = hidden_from_ ? std::min(hidden_from_, unit.truncate_from) : unit.truncate_from;
                hidden_until_ = unit.seq;
            }
            queue_.push_back(std::move(unit));
        }
        wake_.notify_one();
    }

    int event_fd() const override { return event_.fd(); }

    PersistSeq completed() override {
        event_.drain();
        return PersistSeq(completed_.load(std::memory_order_acquire));
    }

    void on_failure(std::function<void(const std::string&)> handler) override {
        const std::lock_guard guard(mutex_);
        handler_ = std::move(handler);
    }

    Result<std::vector<EntryPtr>> read(Index from, Index upto, uint64_t max_bytes) override {
        {
            const std::lock_guard guard(mutex_);
            if (hidden_from_ && completed_.load(std::memory_order_relaxed) < hidden_until_.value) {
                if (from >= hidden_from_) {
                    return Error{"entry " + std::to_string(from.value) + " is being truncated in " + dir_};
                }
                upto = std::min(upto, prior(hidden_from_));
            } else {
                hidden_from_ = Index();
            }
        }
        auto entries = store_->read(from, upto, max_bytes);
        // Others may wait for what nobody but this node has: it must not stay in their way.
        if (!entries && store_->has(from)) {
            std::unique_lock lock(mutex_);
            fail(lock, entries.error());
        }
        return entries;
    }

    void drop_before(Index index) override {
        {
            const std::lock_guard guard(mutex_);
            drop_ = std::max(drop_, index);
        }
        wake_.notify_one();
    }

    LedgerStats stats() const override {
        const std::lock_guard guard(mutex_);
        LedgerStats stats = stats_;
        stats.oldest_pending_us = working_since_us_ != 0 ? working_since_us_ : queue_.empty() ? 0 : queued_since_us_;
        std::vector<uint64_t> times = sync_times_;
        if (!times.empty()) {
            const auto p99 = times.begin() + std::ptrdiff_t(times.size() * 99 / 100);
            std::nth_element(times.begin(), p99, times.end());
            stats.fsync_p99_us = *p99;
        }
        return stats;
    }

  private:
    static constexpr size_t kSyncTimes = 1024;  // the p99 is of the last so many

    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            // Making the next segment is for idle moments, of which it takes one step at a time.
            wake_.wait(lock, [&] { return stop_ || !queue_.empty() || drop_ || store_->wants_next(); });
            std::vector<Persist> batch;
            batch.swap(queue_);
            if (!batch.empty()) working_since_us_ = queued_since_us_;
            const Index drop = std::exchange(drop_, Index());
            const bool stop = stop_;
            lock.unlock();
            const Trouble trouble = work(batch, drop, stop);
            batch.clear();  // entries are freed outside the lock
            lock.lock();
            stats_.syncs = store_->syncs();
            stats_.bytes = store_->bytes();
            if (trouble) return fail(lock, trouble->text);  // only the destructor is waited for now
            working_since_us_ = 0;
            if (stop) return;
        }
    }

    Trouble work(const std::vector<Persist>& batch, Index drop, bool stop) {
        if (!batch.empty()) {
            if (Trouble t = store_->write(batch)) return t;
            const int64_t before = monotonic_us();
            if (Trouble t = store_->sync()) return t;
            complete(batch.back().seq, uint64_t(monotonic_us() - before));
        }
        if (drop) {
            if (Trouble t = store_->drop_before(drop)) return t;
        }
        if (stop) return store_->close();
        const bool step = batch.empty() ? store_->wants_next() : store_->wants_next_soon();
        return step ? store_->prepare_next() : Trouble();
    }

    void complete(PersistSeq seq, uint64_t sync_us) {
        {
            const std::lock_guard guard(mutex_);
            ++stats_.batches;
            if (sync_times_.size() < kSyncTimes) {
                sync_times_.push_back(sync_us);
            } else {
                sync_times_[stats_.batches % kSyncTimes] = sync_us;
            }
            working_since_us_ = 0;
            completed_.store(seq.value, std::memory_order_release);
        }
        event_.signal();
    }

    void fail(std::unique_lock<std::mutex>& lock, const std::string& what) {
        const auto handler = handler_;
        lock.unlock();
        handler(what);
    }

    const std::string dir_;
    const std::unique_ptr<Store> store_;  // reads by the loop, all else by the thread
    EventFd event_;
    std::atomic<uint64_t> completed_ = 0;

    mutable std::mutex mutex_;  // of what follows; never held during I/O
    std::condition_variable wake_;
    std::vector<Persist> queue_;
    int64_t queued_since_us_ = 0;   // since when the first of the queue waits
    int64_t working_since_us_ = 0;  // the same of the batch in work; 0: none
    Index hidden_from_;             // 0: nothing is hidden
    PersistSeq hidden_until_;
    Index drop_;
    bool stop_ = false;
    LedgerStats stats_;
    std::vector<uint64_t> sync_times_;
    std::function<void(const std::string&)> handler_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Ledger> Ledger::open(Env& env, const LedgerOptions& options, Opened& opened) {
    return std::make_unique<ThreadedLedger>(Store::open(env, options, opened), options.dir);
}

}  // namespace assent::ledger
