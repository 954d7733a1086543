#include "app/attached/feed.h"

#include <utility>

namespace assent::attached {

VerdictFeed::VerdictFeed(const VerdictPair& handed, const FeedOptions& options, FeedHooks hooks)
    : options_(options), hooks_(std::move(hooks)), handed_(handed) {}

VerdictFeed::~VerdictFeed() {
    {
        const std::lock_guard guard(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void VerdictFeed::add(std::vector<Verdict> verdicts, const VerdictPair& handed) {
    handed_ = handed;
    for (Verdict& v : verdicts) {
        window_bytes_ += weight(*v.entry);
        window_.push_back(std::move(v));
    }
    while (window_.size() > 1 && window_bytes_ > options_.window_bytes) {
        window_bytes_ -= weight(*window_.front().entry);
        window_.pop_front();
    }
}

void VerdictFeed::restart(Index next) {
    next_ = next;
    ready_.clear();
    ++job_;  // what is being read is not wanted any more
    reading_ = false;
    trouble_.clear();
}

const Verdict* VerdictFeed::front() {
    if (!ready_.empty()) return &ready_.front();
    if (caught_up()) return nullptr;
    const Index first = window_.empty() ? next(handed_.confirm) : window_.front().entry->index;
    if (next_ >= first) return &window_[next_.value - first.value];
    if (!reading_ && trouble_.empty()) ask_for(prior(first));
    return nullptr;
}

void VerdictFeed::pop() {
    next_ = next(next_);
    if (!ready_.empty()) ready_.pop_front();
}

// ---- reading

void VerdictFeed::ask_for(Index upto) {
    reading_ = true;
    const std::lock_guard guard(mutex_);
    todo_ = Job{next_, upto, handed_, ++job_};
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    wake_.notify_one();
}

void VerdictFeed::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stop_ || todo_; });
        if (stop_) return;
        const Job job = *std::exchange(todo_, std::nullopt);
        lock.unlock();
        hooks_.post([this, alive = std::weak_ptr(alive_), number = job.number, readings = carry_out(job)]() mutable {
            if (alive.lock()) finished(number, std::move(readings));
        });
        lock.lock();
    }
}

// Some verdicts from job.from on; reads no more than what it takes to know them.
VerdictFeed::Readings VerdictFeed::carry_out(const Job& job) {
    if (!reader_ || next(reader_->decided()) != job.from) {
        reader_.emplace(prior(job.from));
        read_at_ = job.from;
    }
    reader_->announce(job.handed);
    Readings readings;
    for (readings.verdicts = reader_->take(); readings.verdicts.empty(); readings.verdicts = reader_->take()) {
        auto entries = hooks_.read(read_at_, job.handed.stored, options_.read_bytes);
        if (!entries || entries->empty()) {
            reader_.reset();
            readings.trouble = entries ? "the ledger has no entry " + std::to_string(read_at_.value) : entries.error();
            return readings;
        }
        for (const EntryPtr& e : *entries) reader_->add(e);
        read_at_ = next(entries->back()->index);
    }
    // From there on the window has them.
    while (!readings.verdicts.empty() && readings.verdicts.back().entry->index > job.upto) {
        readings.verdicts.pop_back();
        reader_.reset();
    }
    return readings;
}

void VerdictFeed::finished(uint64_t number, Readings readings) {
    if (number != job_) return;
    reading_ = false;
    trouble_ = std::move(readings.trouble);
    for (Verdict& v : readings.verdicts) ready_.push_back(std::move(v));
    hooks_.more();
}

}  // namespace assent::attached
