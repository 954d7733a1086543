// The built-in application: a map of byte strings in RocksDB (doc/kv-format.md). RocksDB's own log is off, for the
// ledger is the log: after a crash the daemon applies the entries above durable_applied() again.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>

#include "app/application.h"
#include "app/kv/kv_write.h"

namespace rocksdb {
class DB;
class Iterator;
class Slice;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace assent::pb {
class KvAnswer;
class KvScan;
}  // namespace assent::pb

namespace assent::kv {

class FlushTracker;

struct KvOptions {
    std::string dir;                         // made if it is not there; its parent exists
    uint64_t max_write_bytes = 1 << 20;      // of a value
    uint64_t flush_bytes = 32 << 20;         // a flush is begun when so much has been applied since the last one
    uint64_t write_buffer_bytes = 16 << 20;  // there are two
    uint64_t cache_bytes = 32 << 20;
    uint32_t scan_entries = 10'000;  // most in one answer
    uint64_t scan_bytes = 1 << 20;   // of keys and values in one answer; one pair is always taken
    bool flush_on_close = true;      // off: closing is like a crash of the process
};

// Results other than plain success are kept for repeated requests: the newest ones, within both bounds. The same on
// every node and for ever, for what is kept is part of the state.
constexpr size_t kResultsKept = 65'536;
constexpr uint64_t kResultBytesKept = 64 << 20;

class Kv : public Application {
  public:
    // Throws Failure naming the folder and what to do.
    explicit Kv(const KvOptions& options);
    ~Kv() override;

    const char* kind() const override { return "kv"; }
    ClusterId cluster() const override { return cluster_; }
    Index durable_applied() const override;
    Result<bool> check_write(std::string_view request) const override;
    void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) override;
    Result<std::string> result_of(Index index) override;
    Result<std::string> query(std::string_view request, Index applied) override;
    uint64_t digest() override;

  private:
    struct Change {
        std::string_view key;
        std::optional<std::string_view> value;  // none: deleted
    };
    struct KeptResult {
        Index index;
        uint64_t bytes;
    };

    void open_store();
    void load();
    void load_results();
    void check_format();
    bool decode(const std::vector<EntryPtr>& entries);
    std::string apply_write(const Write& write);
    void set(std::string_view key, std::optional<std::string_view> value);
    std::optional<std::string_view> current(std::string_view key);
    void join(const ClusterId& cluster, Index index);
    void keep_result(Index index, const std::string& result);
    void collect_changes();
    void finish(uint64_t bytes);
    void flush_if_due();
    bool read(std::string_view key, std::string& value);
    std::unique_ptr<rocksdb::Iterator> iterate(const rocksdb::Slice& end) const;
    std::string get(std::string_view key, Index applied);
    std::string scan(const pb::KvScan& scan, Index applied);
    void check(const rocksdb::Status& status, const char* doing) const;
    [[noreturn]] void damaged(const std::string& detail) const;

    KvOptions options_;
    std::shared_ptr<FlushTracker> tracker_;
    std::unique_ptr<rocksdb::DB> db_;
    Index applied_;
    ClusterId cluster_;
    Index forgotten_;  // results at or below it that are not in results_ are not known any more
    std::deque<KeptResult> results_;
    uint64_t result_bytes_ = 0;
    uint64_t flush_asked_ = 0;    // applied_bytes_ when a flush was last begun
    uint64_t applied_bytes_ = 0;  // since opening

    // Of the batch at hand; members so that their memory is used again.
    std::unique_ptr<rocksdb::WriteBatch> batch_;
    std::vector<Change> changes_;  // into the entries being applied
    std::vector<Write> writes_;
    bool reads_ = false;  // some write of it depends on what is there: so `overlay_` is kept
    std::unordered_map<std::string_view, std::optional<std::string_view>> overlay_;
    std::string key_;
    std::string value_;
};

}  // namespace assent::kv
