// Opening the store: RocksDB's options, and what is read back.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "app/kv/flush_tracker.h"
#include "app/kv/kv.h"
#include "app/kv/kv_format.h"

namespace assent::kv {

namespace {

rocksdb::Options store_options(const KvOptions& options, std::shared_ptr<rocksdb::EventListener> listener) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.cache_index_and_filter_blocks = true;  // they count for the cache's bound
    table.pin_l0_filter_and_index_blocks_in_cache = true;

    rocksdb::Options out;
    out.create_if_missing = true;
    out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    out.compression = rocksdb::kNoCompression;
    out.write_buffer_size = options.write_buffer_bytes;
    out.max_write_buffer_number = 2;
    out.max_background_jobs = 2;
    out.max_open_files = 256;
    out.bytes_per_sync = 1 << 20;            // a large file is not synced in one go: the ledger's syncs share the disk
    out.avoid_flush_during_shutdown = true;  // ~Kv flushes if it shall
    out.skip_stats_update_on_db_open = true;
    out.stats_dump_period_sec = 0;
    out.stats_persist_period_sec = 0;
    out.info_log_level = rocksdb::WARN_LEVEL;
    out.max_log_file_size = 1 << 20;
    out.keep_log_file_num = 2;
    out.listeners.push_back(std::move(listener));
    return out;
}

}  // namespace

Kv::Kv(const KvOptions& options)
    : options_(options), tracker_(std::make_shared<FlushTracker>()), batch_(std::make_unique<rocksdb::WriteBatch>()) {
    open_store();
    load();
}

Kv::~Kv() {
    // Best effort: what is not on the disk is applied again from the ledger.
    if (options_.flush_on_close) db_->Flush(rocksdb::FlushOptions()).PermitUncheckedError();
}

void Kv::damaged(const std::string& detail) const {
    throw Failure(
        "the kv store in " + options_.dir + " cannot be used: " + detail +
        ". If the disk is sound and this node's ledger still begins at index 1 (assentctl ledger status), stop "
        "assentd, remove that folder and start it again: the store is rebuilt from the ledger");
}

void Kv::check(const rocksdb::Status& status, const char* doing) const {
    if (status.ok()) return;
    if (status.IsCorruption()) damaged(std::string(doing) + ": " + status.ToString());
    throw Failure(
        "the kv store in " + options_.dir + " failed, " + doing + ": " + status.ToString() +
        ". Check the disk (space, permissions, kernel log), then start assentd again: nothing that was confirmed "
        "is lost, it is in the ledger");
}

void Kv::open_store() {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(store_options(options_, tracker_), options_.dir, &db);
    if (status.ok()) {
        db_.reset(db);
        return;
    }
    if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
        throw Failure("the kv store in " + options_.dir + " is in use by another process (" + status.ToString() +
                      "): is another assentd running with this state folder? Stop it first");
    }
    if (status.IsIOError()) check(status, "opening it");
    damaged(status.ToString());
}

bool Kv::read(std::string_view key, std::string& value) {
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), rocksdb::Slice(key.data(), key.size()), &value);
    if (status.IsNotFound()) return false;
    check(status, "reading");
    return true;
}

void Kv::check_format() {
    std::string value;
    if (read(kFormatKey, value)) {
        const auto format = read_number(value);
        if (!format) damaged("its format mark is not a number");
        if (*format != kFormat) {
            throw Failure("the kv store in " + options_.dir + " has format " + std::to_string(*format) +
                          ", this assentd knows format " + std::to_string(kFormat) +
                          ": install the newer assentd again");
        }
        return;
    }
    const rocksdb::Slice end("\xff");
    const auto all = iterate(end);
    all->SeekToFirst();
    check(all->status(), "reading");
    if (all->Valid()) damaged("it holds data without a format mark, so it was not made by assentd");
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    check(db_->Put(unlogged, rocksdb::Slice(kFormatKey.data(), kFormatKey.size()), number_bytes(kFormat)),
          "formatting");
}

void Kv::load() {
    check_format();
    auto load_number = [this](std::string_view key) {
        std::string value;
        if (!read(key, value)) return Index();
        const auto number = read_number(value);
        if (!number) damaged(std::string(key) + " is not a number");
        return Index(*number);
    };
    applied_ = load_number(kAppliedKey);
    forgotten_ = load_number(kForgottenKey);
    tracker_->opened(applied_);
    std::string cluster;
    if (read(kClusterKey, cluster)) {
        if (cluster.size() != 16) damaged("m:cluster is not 16 bytes");
        cluster_ = {*read_number(std::string_view(cluster).substr(0, 8)),
                    *read_number(std::string_view(cluster).substr(8))};
    }
    load_results();
}

void Kv::load_results() {
    const std::string first(kResultPrefix);
    const std::string end = prefix_end(first);
    const rocksdb::Slice end_slice(end);
    const auto at = iterate(end_slice);
    for (at->Seek(first); at->Valid(); at->Next()) {
        const auto index = read_number(at->key().ToStringView().substr(kResultPrefix.size()));
        if (!index) damaged("a result has no index");
        results_.push_back({Index(*index), at->value().size()});
        result_bytes_ += at->value().size();
    }
    check(at->status(), "reading the results");
}

}  // namespace assent::kv
