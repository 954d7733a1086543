#include "app/kv/kv_machine.h"

#include <algorithm>

#include "app/kv/kv_format.h"
#include "proto/kv.pb.h"

namespace assent::kv {

namespace {

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

Machine::Machine(Store& store, const Limits& limits) : store_(store), limits_(limits) {
    check_format();
    applied_ = load_number(kAppliedKey);
    forgotten_ = load_number(kForgottenKey);
    load_cluster();
    load_results();
}

void Machine::check_format() {
    std::string value;
    if (store_.get(kFormatKey, value)) {
        const auto format = read_number(value);
        if (!format) store_.damaged("its format mark is not a number");
        if (*format == kFormat) return;
        throw Failure(store_.name() + " has format " + std::to_string(*format) + ", this assentd knows format " +
                      std::to_string(kFormat) + ": install the newer assentd again");
    }
    store_.scan("", "\xff", [this](std::string_view, std::string_view) -> bool {
        store_.damaged("it holds data without a format mark, so it was not made by assentd");
    });
    store_.put(kFormatKey, number_bytes(kFormat));
    store_.write(Index(), 0);
}

Index Machine::load_number(std::string_view key) {
    std::string value;
    if (!store_.get(key, value)) return Index();
    const auto number = read_number(value);
    if (!number) store_.damaged(std::string(key) + " is not a number");
    return Index(*number);
}

void Machine::load_cluster() {
    std::string cluster;
    if (!store_.get(kClusterKey, cluster)) return;
    if (cluster.size() != 16) store_.damaged("m:cluster is not 16 bytes");
    cluster_ = {*read_number(std::string_view(cluster).substr(0, 8)),
                *read_number(std::string_view(cluster).substr(8))};
}

void Machine::load_results() {
    const std::string first(kResultPrefix);
    store_.scan(first, prefix_end(first), [this](std::string_view key, std::string_view value) {
        const auto index = read_number(key.substr(kResultPrefix.size()));
        if (!index) store_.damaged("a result has no index");
        results_.push_back({Index(*index), value.size()});
        result_bytes_ += value.size();
        return true;
    });
}

Result<bool> Machine::check_write(std::string_view request) const {
    const auto write = decode_write(request);
    if (!write) return Error{write.error()};
    for (const auto& value : {write->value, write->old_value}) {
        if (value && value->size() > limits_.max_write_bytes) {
            return Error{"the value has " + std::to_string(value->size()) + " bytes: max_write_bytes is " +
                         std::to_string(limits_.max_write_bytes)};
        }
    }
    return true;
}

void Machine::apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) {
    if (entries.empty()) return;
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
    collect_changes();
    store_.put(kAppliedKey, number_bytes(applied_.value));
    store_.write(applied_, bytes);
}

// Fills writes_; true if some write depends on what is there. Nothing is changed if an entry cannot be applied.
bool Machine::decode(const std::vector<EntryPtr>& entries) {
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
std::string Machine::apply_write(const Write& write) {
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

void Machine::set(std::string_view key, std::optional<std::string_view> value) {
    changes_.push_back({key, value});
    if (reads_) overlay_[key] = value;
}

// In the order of the keys: RocksDB's memtable then finds each place from the one before, which for random keys takes
// less than half as long. Of several changes of a key the last one counts.
void Machine::collect_changes() {
    std::stable_sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.key < b.key; });
    for (size_t i = 0; i < changes_.size(); ++i) {
        const Change& c = changes_[i];
        if (i + 1 < changes_.size() && changes_[i + 1].key == c.key) continue;
        key_.assign(kDataPrefix).append(c.key);
        c.value ? store_.put(key_, *c.value) : store_.erase(key_);
    }
    changes_.clear();
}

// As it is after the writes collected so far; valid until the next call.
std::optional<std::string_view> Machine::current(std::string_view key) {
    if (const auto it = overlay_.find(key); it != overlay_.end()) return it->second;
    key_.assign(kDataPrefix).append(key);
    if (!store_.get(key_, value_)) return {};
    return value_;
}

void Machine::join(const ClusterId& cluster, Index index) {
    if (cluster == cluster_ || !cluster) return;
    if (cluster_) store_.damaged("it belongs to another cluster than entry " + std::to_string(index.value));
    cluster_ = cluster;
    store_.put(kClusterKey, number_bytes(cluster.high) + number_bytes(cluster.low));
}

void Machine::keep_result(Index index, const std::string& result) {
    store_.put(result_key(index.value), result);
    results_.push_back({index, result.size()});
    result_bytes_ += result.size();
    const Index before = forgotten_;
    while (results_.size() > kResultsKept || result_bytes_ > kResultBytesKept) {
        forgotten_ = results_.front().index;
        result_bytes_ -= results_.front().bytes;
        results_.pop_front();
        store_.erase(result_key(forgotten_.value));
    }
    if (forgotten_ != before) store_.put(kForgottenKey, number_bytes(forgotten_.value));
}

Result<std::string> Machine::result_of(Index index) {
    std::string result;
    if (store_.get(result_key(index.value), result)) return result;
    if (index > forgotten_ && index <= applied_) return std::string();
    return Error{"the result of the write at index " + std::to_string(index.value) + " is not known" +
                 (index > applied_ ? " yet" : " any more")};
}

}  // namespace assent::kv
