#include "app/kv/flush_tracker.h"

#include <algorithm>

namespace assent::kv {

void FlushTracker::wrote(rocksdb::SequenceNumber last, Index applied, uint64_t bytes) {
    std::lock_guard lock(mutex_);
    unflushed_.push_back({last, applied, bytes});
    tail_bytes_ += bytes;
    advance();  // the flush may have been quicker
}

uint64_t FlushTracker::tail_bytes() const {
    std::lock_guard lock(mutex_);
    return tail_bytes_;
}

void FlushTracker::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) {
    std::lock_guard lock(mutex_);
    flushed_ = std::max(flushed_, info.largest_seqno);
    advance();
}

void FlushTracker::advance() {
    while (!unflushed_.empty() && unflushed_.front().last <= flushed_) {
        tail_bytes_ -= unflushed_.front().bytes;
        durable_ = unflushed_.front().applied.value;
        unflushed_.pop_front();
    }
}

}  // namespace assent::kv
