// Where the kv application keeps its keys: RocksDB in the daemon, memory in the simulator.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "core/types.h"

namespace assent::kv {

// Keys in byte order. Writes are collected and then take effect all at once, also for what a crash leaves: the state
// after one of the newest write() calls, with all that came before it. Throws Failure where the storage fails.
class Store {
  public:
    virtual ~Store() = default;

    // As it is after the last write(). False: no such key.
    virtual bool get(std::string_view key, std::string& value) = 0;
    // Calls `each` for the keys from `from` to before `end`, in order, until it returns false. One moment's state.
    using Each = std::function<bool(std::string_view key, std::string_view value)>;
    virtual void scan(std::string_view from, std::string_view end, const Each& each) = 0;

    // Collected for the next write(); of several for a key the last one counts.
    virtual void put(std::string_view key, std::string_view value) = 0;
    virtual void erase(std::string_view key) = 0;
    // The state is then that of `applied`. `weight`: bytes of the entries that led to it.
    virtual void write(Index applied, uint64_t weight) = 0;

    // For people: "the kv store in /var/…".
    virtual std::string name() const = 0;
    // What was read cannot be.
    [[noreturn]] void damaged(const std::string& detail) const {
        throw Failure(
            name() + " cannot be used: " + detail +
            ". If the disk is sound and this node's ledger still begins at index 1 (assentctl ledger status), stop "
            "assentd, remove that folder and start it again: the store is rebuilt from the ledger");
    }
};

}  // namespace assent::kv
