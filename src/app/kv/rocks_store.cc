#include "app/kv/rocks_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "app/kv/flush_tracker.h"

namespace assent::kv {

namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

rocksdb::Options store_options(const RocksOptions& options, std::shared_ptr<rocksdb::EventListener> listener) {
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
    out.avoid_flush_during_shutdown = true;  // ~RocksStore flushes if it shall
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

RocksStore::RocksStore(const RocksOptions& options)
    : options_(options), tracker_(std::make_shared<FlushTracker>()), batch_(std::make_unique<rocksdb::WriteBatch>()) {
    open();
}

RocksStore::~RocksStore() {
    // Best effort: what is not on the disk is applied again from the ledger.
    if (options_.flush_on_close) db_->Flush(rocksdb::FlushOptions()).PermitUncheckedError();
}

void RocksStore::opened(Index applied) { tracker_->opened(applied); }

Index RocksStore::durable() const { return tracker_->durable(); }

void RocksStore::check(const rocksdb::Status& status, const char* doing) const {
    if (status.ok()) return;
    if (status.IsCorruption()) damaged(std::string(doing) + ": " + status.ToString());
    throw Failure(
        name() + " failed, " + doing + ": " + status.ToString() +
        ". Check the disk (space, permissions, kernel log), then start assentd again: nothing that was confirmed "
        "is lost, it is in the ledger");
}

void RocksStore::open() {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(store_options(options_, tracker_), options_.dir, &db);
    if (status.ok()) {
        db_.reset(db);
        return;
    }
    if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
        throw Failure(name() + " is in use by another process (" + status.ToString() +
                      "): is another assentd running with this state folder? Stop it first");
    }
    if (status.IsIOError()) check(status, "opening it");
    damaged(status.ToString());
}

bool RocksStore::get(std::string_view key, std::string& value) {
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
    if (status.IsNotFound()) return false;
    check(status, "reading");
    return true;
}

// What it reads does not drive other data out of the cache.
void RocksStore::scan(std::string_view from, std::string_view end, const Each& each) {
    const rocksdb::Slice end_slice = slice(end);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end_slice;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
    for (at->Seek(slice(from)); at->Valid(); at->Next()) {
        if (!each(at->key().ToStringView(), at->value().ToStringView())) break;
    }
    check(at->status(), "reading a range");
}

void RocksStore::put(std::string_view key, std::string_view value) {
    check(batch_->Put(slice(key), slice(value)), "collecting writes");
}

void RocksStore::erase(std::string_view key) { check(batch_->Delete(slice(key)), "collecting writes"); }

void RocksStore::write(Index applied, uint64_t weight) {
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    check(db_->Write(unlogged, batch_.get()), "writing");
    batch_->Clear();
    applied_bytes_ += weight;
    tracker_->wrote(db_->GetLatestSequenceNumber(), applied, weight);
    flush_if_due();
}

// Two buffers of memory bound the tail as well, but entries that write little or nothing hardly fill them.
void RocksStore::flush_if_due() {
    if (tracker_->tail_bytes() < options_.flush_bytes || applied_bytes_ - flush_asked_ < options_.flush_bytes) return;
    flush_asked_ = applied_bytes_;
    rocksdb::FlushOptions in_background;
    in_background.wait = false;
    in_background.allow_write_stall = true;
    check(db_->Flush(in_background), "flushing");
}

}  // namespace assent::kv
