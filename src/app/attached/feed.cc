#include "app/attached/feed.h"

#include <utility>

namespace assent::attached {

VerdictFeed::VerdictFeed(const VerdictPair& handed, const FeedOptions& options, FeedHooks hooks)
    : options_(options), more_(std::move(hooks.more)), handed_(handed),
      pieces_(std::move(hooks.read), std::move(hooks.post)) {}

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

void VerdictFeed::ask_for(Index upto) {
    reading_ = true;
    const uint64_t job = ++job_;
    pieces_.ask(next_, upto, handed_, options_.read_bytes,
                [this, job](LedgerPieces::Piece piece) { finished(job, std::move(piece)); });
}

void VerdictFeed::finished(uint64_t job, LedgerPieces::Piece piece) {
    if (job != job_) return;
    reading_ = false;
    trouble_ = std::move(piece.trouble);
    for (Verdict& v : piece.verdicts) ready_.push_back(std::move(v));
    more_();
}

}  // namespace assent::attached
