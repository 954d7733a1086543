// What the kv application does: a map of byte strings, with the newest results, as a function of the entries applied and
// of nothing else. Where it is kept is the store's matter.
#pragma once

#include <deque>
#include <unordered_map>

#include "app/application.h"
#include "app/kv/kv_store.h"
#include "app/kv/kv_write.h"

namespace assent::pb {
class KvScan;
}  // namespace assent::pb

namespace assent::kv {

struct Limits {
    uint64_t max_write_bytes = 1 << 20;  // of a value
    uint32_t scan_entries = 10'000;      // most in one answer
    uint64_t scan_bytes = 1 << 20;       // of keys and values in one answer; one pair is always taken
};

// Results other than plain success are kept for repeated requests: the newest ones, within both bounds. The same on
// every node and for ever, for what is kept is part of the state.
constexpr size_t kResultsKept = 65'536;
constexpr uint64_t kResultBytesKept = 64 << 20;

// Calls are those of Application, which says more.
class Machine {
  public:
    // Goes on with what is in `store`, which outlives it.
    Machine(Store& store, const Limits& limits);

    ClusterId cluster() const { return cluster_; }
    Index applied() const { return applied_; }
    Result<bool> check_write(std::string_view request) const;
    void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results);
    Result<std::string> result_of(Index index);
    Result<std::string> query(std::string_view request, Index applied);
    uint64_t digest();

  private:
    struct Change {
        std::string_view key;
        std::optional<std::string_view> value;  // none: deleted
    };
    struct KeptResult {
        Index index;
        uint64_t bytes;
    };

    void check_format();
    Index load_number(std::string_view key);
    void load_cluster();
    void load_results();
    bool decode(const std::vector<EntryPtr>& entries);
    std::string apply_write(const Write& write);
    void set(std::string_view key, std::optional<std::string_view> value);
    std::optional<std::string_view> current(std::string_view key);
    void join(const ClusterId& cluster, Index index);
    void keep_result(Index index, const std::string& result);
    void collect_changes();
    std::string get(std::string_view key, Index applied);
    std::string scan(const pb::KvScan& scan, Index applied);

    Store& store_;
    const Limits limits_;
    Index applied_;
    ClusterId cluster_;
    Index forgotten_;  // results at or below it that are not in results_ are not known any more
    std::deque<KeptResult> results_;
    uint64_t result_bytes_ = 0;

    // Of the batch at hand; members so that their memory is used again.
    std::vector<Change> changes_;  // into the entries being applied
    std::vector<Write> writes_;
    bool reads_ = false;  // some write of it depends on what is there: so `overlay_` is kept
    std::unordered_map<std::string_view, std::optional<std::string_view>> overlay_;
    std::string key_;
    std::string value_;
};

}  // namespace assent::kv
