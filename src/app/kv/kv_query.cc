// Reading: queries and the digest.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <rocksdb/db.h>

#include <algorithm>
#include <climits>

#include "app/kv/kv.h"
#include "app/kv/kv_format.h"
#include "proto/kv.pb.h"

namespace assent::kv {

// Sees one consistent state, up to before `end`, which outlives it. What it reads does not drive other data out of the
// cache.
std::unique_ptr<rocksdb::Iterator> Kv::iterate(const rocksdb::Slice& end) const {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end;
    options.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options));
}

Result<std::string> Kv::query(std::string_view request, Index applied) {
    pb::KvQuery query;
    if (request.size() > INT_MAX || !query.ParseFromArray(request.data(), int(request.size()))) {
        return Error{"this is not a query of the kv application: it is broken off or damaged"};
    }
    switch (query.what_case()) {
        case pb::KvQuery::kGet:
            if (std::string error = key_error(query.get().key()); !error.empty()) return Error{error};
            return get(query.get().key(), applied);
        case pb::KvQuery::kScan: return scan(query.scan(), applied);
        default: return Error{"this is not a query that this version of the kv application knows"};
    }
}

std::string Kv::get(std::string_view key, Index applied) {
    pb::KvAnswer answer;
    answer.set_index(applied.value);
    key_.assign(kDataPrefix).append(key);
    if (!read(key_, *answer.mutable_value())) answer.set_status(pb::KV_NOT_FOUND);
    return answer.SerializeAsString();
}

std::string Kv::scan(const pb::KvScan& scan, Index applied) {
    const std::string first = std::string(kDataPrefix) + scan.prefix();
    const std::string end = prefix_end(first);
    const rocksdb::Slice end_slice(end);
    const auto at = iterate(end_slice);
    // A zero byte more is the least key after it.
    std::string from = scan.has_start_after() ? std::string(kDataPrefix) + scan.start_after() + '\0' : first;
    at->Seek(std::max(from, first));

    const uint32_t limit = scan.limit() ? std::min(scan.limit(), options_.scan_entries) : options_.scan_entries;
    pb::KvAnswer answer;
    answer.set_index(applied.value);
    uint64_t bytes = 0;
    for (; at->Valid(); at->Next()) {
        rocksdb::Slice key = at->key();
        key.remove_prefix(kDataPrefix.size());
        bytes += key.size() + at->value().size();
        if (uint32_t(answer.entries_size()) == limit || (bytes > options_.scan_bytes && answer.entries_size() > 0)) {
            answer.set_more(true);
            break;
        }
        pb::KvPair& pair = *answer.add_entries();
        pair.set_key(key.data(), key.size());
        pair.set_value(at->value().data(), at->value().size());
    }
    check(at->status(), "scanning");
    return answer.SerializeAsString();
}

uint64_t Kv::digest() {
    const std::string first(kDataPrefix);
    const std::string end = prefix_end(first);
    const rocksdb::Slice end_slice(end);
    const auto at = iterate(end_slice);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    auto add = [&state](std::string_view bytes) { XXH3_64bits_update(&state, bytes.data(), bytes.size()); };
    for (at->Seek(first); at->Valid(); at->Next()) {
        for (const rocksdb::Slice& part : {at->key(), at->value()}) {
            add(number_bytes(part.size()));
            add(part.ToStringView());
        }
    }
    check(at->status(), "reading all of it");
    add(number_bytes(applied_.value));
    return XXH3_64bits_digest(&state);
}

}  // namespace assent::kv
