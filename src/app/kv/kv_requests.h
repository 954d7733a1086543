// Requests to the kv application and its answers, for programs that talk to it (no RocksDB here). Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/failure.h"
#include "core/types.h"

namespace assent::kv {

// Writes: what goes into WriteRequest.data.
std::string encode_put(std::string_view key, std::string_view value);
std::string encode_del(std::string_view key);
// Sets the key to `new_value` (none: deletes it) if it is `old_value` (none: if it does not exist).
std::string encode_cas(std::string_view key, std::optional<std::string_view> old_value,
                       std::optional<std::string_view> new_value);

// Queries: what goes into ReadRequest.query.
std::string encode_get(std::string_view key);
// Keys that begin with `prefix`, in byte order, after `start_after`; limit 0: as many as the application puts in one
// answer.
std::string encode_scan(std::string_view prefix, uint32_t limit, std::optional<std::string_view> start_after = {});

struct WriteResult {
    bool done = true;                    // false: the comparison of a cas failed, nothing was changed
    bool found = true;                   // del: there was such a key
    std::optional<std::string> current;  // comparison failed: what the key is; none: it does not exist
};

struct GetAnswer {
    Index index;                       // applied index of the state it was answered from
    std::optional<std::string> value;  // none: no such key
};

struct ScanAnswer {
    Index index;
    std::vector<std::pair<std::string, std::string>> entries;  // key, value
    bool more = false;  // it stopped at a limit: go on with start_after = the last key here
};

// What came in Reply.result. Error: it is not an answer of the kv application (a newer one, or another application).
Result<WriteResult> decode_result(std::string_view result);
Result<GetAnswer> decode_get(std::string_view answer);
Result<ScanAnswer> decode_scan(std::string_view answer);

}  // namespace assent::kv
