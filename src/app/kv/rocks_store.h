// The kv application's store in RocksDB (doc/kv-format.md). RocksDB's own log is off, for the ledger is the log: after a
// crash the daemon applies the entries above durable() again.
#pragma once

#include <memory>

#include "app/kv/kv_store.h"

namespace rocksdb {
class DB;
class Slice;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace assent::kv {

class FlushTracker;

struct RocksOptions {
    std::string dir;                         // made if it is not there; its parent exists
    uint64_t flush_bytes = 32 << 20;         // a flush is begun when so much has been applied since the last one
    uint64_t write_buffer_bytes = 16 << 20;  // there are two
    uint64_t cache_bytes = 32 << 20;
    bool flush_on_close = true;  // off: closing is like a crash of the process
};

class RocksStore : public Store {
  public:
    // Throws Failure naming the folder and what to do.
    explicit RocksStore(const RocksOptions& options);
    ~RocksStore() override;

    // What was found at opening is the state of `applied`.
    void opened(Index applied);
    // Any thread.
    Index durable() const;

    bool get(std::string_view key, std::string& value) override;
    void scan(std::string_view from, std::string_view end, const Each& each) override;
    void put(std::string_view key, std::string_view value) override;
    void erase(std::string_view key) override;
    void write(Index applied, uint64_t weight) override;
    std::string name() const override { return "the kv store in " + options_.dir; }

  private:
    void open();
    void flush_if_due();
    void check(const rocksdb::Status& status, const char* doing) const;

    const RocksOptions options_;
    std::shared_ptr<FlushTracker> tracker_;
    std::unique_ptr<rocksdb::DB> db_;
    std::unique_ptr<rocksdb::WriteBatch> batch_;
    uint64_t flush_asked_ = 0;    // applied_bytes_ when a flush was last begun
    uint64_t applied_bytes_ = 0;  // since opening
};

}  // namespace assent::kv
