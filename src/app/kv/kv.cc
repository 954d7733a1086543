#include "app/kv/kv.h"

#include <algorithm>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "app/kv/flush_tracker.h"
#include "app/kv/kv_format.h"
#include "proto/kv.pb.h"

namespace assent::kv {

namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

std::string compare_failed(std::optional<std::string_view> current) {
    pb::KvResult result;
    result.set_status(pb::KV_COMPARE_FAILED);
    if (current) result.set_current(current->data(), current->size());
    return result.SerializeAsString();
}

std::string not_found() {
    pb::KvResult result;
    result.set_status(pb::KV_NOT_FOUND);
    return result.SerializeAsString();
}

}  // namespace

Index Kv::durable_applied() const { return tracker_->durable(); }

Result<bool> Kv::check_write(std::string_view request) const {
    const auto write = decode_write(request);
    if (!write) return Error{write.error()};
    for (const auto& value : {write->value, write->old_value}) {
        if (value && value->size() > options_.max_write_bytes) {
            return Error{"the value has " + std::to_string(value->size()) + " bytes: max_write_bytes is " +
                         std::to_string(options_.max_write_bytes)};
        }
    }
    return true;
}

void Kv::apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) {
    if (entries.empty()) return;
    batch_->Clear();
    overlay_.clear();
    reads_ = decode(entries);
    uint64_t bytes = 0;
    size_t next_write = 0;
    for (const EntryPtr& entry : entries) {
        bytes += weight(*entry);
        if (entry->kind == EntryKind::config && entry->config) join(entry->config->cluster, entry->index);
        if (entry->kind != EntryKind::write) continue;
        std::string result = apply_write(writes_[next_write++]);
        if (result.empty()) continue;
        keep_result(entry->index, result);
        results.push_back({entry->index, std::move(result)});
    }
    applied_ = entries.back()->index;
    finish(bytes);
}

// Fills writes_; true if some write depends on what is there. Nothing is changed if an entry cannot be applied.
bool Kv::decode(const std::vector<EntryPtr>& entries) {
    writes_.clear();
    bool reads = false;
    Index expected = next(applied_);
    for (const EntryPtr& entry : entries) {
        const std::string here = "the kv application was given entry " + std::to_string(entry->index.value);
        if (entry->index != expected) throw Failure(here + " where " + std::to_string(expected.value) + " comes next");
        expected = next(expected);
        if (entry->kind != EntryKind::write) continue;
        auto write = decode_write(entry->data);
        // It was checked before it was proposed, so another version proposed it. Going on without it would make this
        // node's data differ from the others'.
        if (!write)
            throw Failure(here + ", which it cannot apply: " + write.error() +
                          ". Install the newest assentd of the cluster");
        reads |= write->kind != WriteKind::put;
        writes_.push_back(*write);
    }
    return reads;
}

// The result; empty: plainly done.
std::string Kv::apply_write(const Write& write) {
    switch (write.kind) {
        case WriteKind::put: set(write.key, write.value); return {};
        case WriteKind::del:
            if (!current(write.key)) return not_found();
            set(write.key, std::nullopt);
            return {};
        case WriteKind::cas: {
            const auto present = current(write.key);
            if (present != write.old_value) return compare_failed(present);
            set(write.key, write.value);
            return {};
        }
    }
    return {};
}

void Kv::set(std::string_view key, std::optional<std::string_view> value) {
    changes_.push_back({key, value});
    if (reads_) overlay_[key] = value;
}

// In the order of the keys: the memtable then finds each place from the one before, which for random keys takes less than
// half as long. Of several changes of a key the last one counts.
void Kv::collect_changes() {
    std::stable_sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.key < b.key; });
    for (size_t i = 0; i < changes_.size(); ++i) {
        const Change& c = changes_[i];
        if (i + 1 < changes_.size() && changes_[i + 1].key == c.key) continue;
        key_.assign(kDataPrefix).append(c.key);
        check(c.value ? batch_->Put(key_, slice(*c.value)) : batch_->Delete(key_), "collecting writes");
    }
    changes_.clear();
}

// As it is after the writes collected so far; valid until the next call.
std::optional<std::string_view> Kv::current(std::string_view key) {
    if (const auto it = overlay_.find(key); it != overlay_.end()) return it->second;
    key_.assign(kDataPrefix).append(key);
    if (!read(key_, value_)) return {};
    return value_;
}

void Kv::join(const ClusterId& cluster, Index index) {
    if (cluster == cluster_ || !cluster) return;
    if (cluster_) damaged("it belongs to another cluster than entry " + std::to_string(index.value));
    cluster_ = cluster;
    check(batch_->Put(slice(kClusterKey), number_bytes(cluster.high) + number_bytes(cluster.low)), "collecting writes");
}

void Kv::keep_result(Index index, const std::string& result) {
    check(batch_->Put(result_key(index.value), result), "collecting results");
    results_.push_back({index, result.size()});
    result_bytes_ += result.size();
    const Index before = forgotten_;
    while (results_.size() > kResultsKept || result_bytes_ > kResultBytesKept) {
        forgotten_ = results_.front().index;
        result_bytes_ -= results_.front().bytes;
        results_.pop_front();
        check(batch_->Delete(result_key(forgotten_.value)), "collecting results");
    }
    if (forgotten_ != before)
        check(batch_->Put(slice(kForgottenKey), number_bytes(forgotten_.value)), "collecting results");
}

// The applied index comes last, so that it is never on the disk without what came before it.
void Kv::finish(uint64_t bytes) {
    collect_changes();
    check(batch_->Put(slice(kAppliedKey), number_bytes(applied_.value)), "collecting writes");
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    check(db_->Write(unlogged, batch_.get()), "writing");
    applied_bytes_ += bytes;
    tracker_->wrote(db_->GetLatestSequenceNumber(), applied_, bytes);
    flush_if_due();
}

// Two buffers of memory bound the tail as well, but entries that write little or nothing hardly fill them.
void Kv::flush_if_due() {
    if (tracker_->tail_bytes() < options_.flush_bytes || applied_bytes_ - flush_asked_ < options_.flush_bytes) return;
    flush_asked_ = applied_bytes_;
    rocksdb::FlushOptions in_background;
    in_background.wait = false;
    in_background.allow_write_stall = true;
    check(db_->Flush(in_background), "flushing");
}

Result<std::string> Kv::result_of(Index index) {
    std::string result;
    if (read(result_key(index.value), result)) return result;
    if (index > forgotten_ && index <= applied_) return std::string();
    return Error{"the result of the write at index " + std::to_string(index.value) + " is not known" +
                 (index > applied_ ? " yet" : " any more")};
}

}  // namespace assent::kv
