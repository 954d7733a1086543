// Reading: queries and the digest.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <climits>

#include "app/kv/kv_format.h"
#include "app/kv/kv_machine.h"
#include "proto/kv.pb.h"

namespace assent::kv {

Result<std::string> Machine::query(std::string_view request, Index applied) {
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

std::string Machine::get(std::string_view key, Index applied) {
    pb::KvAnswer answer;
    answer.set_index(applied.value);
    key_.assign(kDataPrefix).append(key);
    if (!store_.get(key_, *answer.mutable_value())) answer.set_status(pb::KV_NOT_FOUND);
    return answer.SerializeAsString();
}

std::string Machine::scan(const pb::KvScan& scan, Index applied) {
    const std::string first = std::string(kDataPrefix) + scan.prefix();
    // A zero byte more is the least key after it.
    const std::string from = scan.has_start_after() ? std::string(kDataPrefix) + scan.start_after() + '\0' : first;
    const uint32_t limit = scan.limit() ? std::min(scan.limit(), limits_.scan_entries) : limits_.scan_entries;
    pb::KvAnswer answer;
    answer.set_index(applied.value);
    uint64_t bytes = 0;
    store_.scan(std::max(from, first), prefix_end(first), [&](std::string_view key, std::string_view value) {
        key.remove_prefix(kDataPrefix.size());
        bytes += key.size() + value.size();
        if (uint32_t(answer.entries_size()) == limit || (bytes > limits_.scan_bytes && answer.entries_size() > 0)) {
            answer.set_more(true);
            return false;
        }
        pb::KvPair& pair = *answer.add_entries();
        pair.set_key(key.data(), key.size());
        pair.set_value(value.data(), value.size());
        return true;
    });
    return answer.SerializeAsString();
}

uint64_t Machine::digest() {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    auto add = [&state](std::string_view bytes) { XXH3_64bits_update(&state, bytes.data(), bytes.size()); };
    const std::string first(kDataPrefix);
    store_.scan(first, prefix_end(first), [&add](std::string_view key, std::string_view value) {
        for (std::string_view part : {key, value}) {
            add(number_bytes(part.size()));
            add(part);
        }
        return true;
    });
    add(number_bytes(applied_.value));
    return XXH3_64bits_digest(&state);
}

}  // namespace assent::kv
