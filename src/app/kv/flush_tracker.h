// Knows which applied index is on the disk: RocksDB's log is off, so what was written lives in memory until it is
// flushed.
#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <deque>
#include <mutex>

#include "core/types.h"

namespace assent::kv {

class FlushTracker : public rocksdb::EventListener {
  public:
    // At opening, all that is there came from the disk.
    void opened(Index applied) { durable_ = applied.value; }
    // A batch was written that ends with `applied` and has `last` as its last sequence number; `bytes` is its weight.
    void wrote(rocksdb::SequenceNumber last, Index applied, uint64_t bytes);

    // Any thread.
    Index durable() const { return Index(durable_.load()); }
    // Weight of what was written and is not known to be on the disk.
    uint64_t tail_bytes() const;

    // By RocksDB's threads, once file and manifest have been synced. Memtables reach the manifest in the order in which
    // they were filled, and a batch never spans two: everything at or below the file's greatest sequence number is
    // durable.
    void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& info) override;

  private:
    struct Batch {
        rocksdb::SequenceNumber last;
        Index applied;
        uint64_t bytes;
    };
    void advance();

    mutable std::mutex mutex_;
    std::deque<Batch> unflushed_;
    rocksdb::SequenceNumber flushed_ = 0;
    uint64_t tail_bytes_ = 0;
    std::atomic<uint64_t> durable_ = 0;
};

}  // namespace assent::kv
