// The kv application's store in memory, with RocksDB's manners: what was written is on the disk later, in order, and a crash
// falls back to what is there.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "app/kv/kv_store.h"

namespace assent::sim {

class MemoryStore : public kv::Store {
  public:
    // So many of the writes that are not on the disk get there.
    void flush(size_t writes);
    size_t unflushed() const { return unflushed_.size(); }
    Index durable() const { return durable_; }
    void crash();

    bool get(std::string_view key, std::string& value) override;
    void scan(std::string_view from, std::string_view end, const Each& each) override;
    void put(std::string_view key, std::string_view value) override;
    void erase(std::string_view key) override;
    void write(Index applied, uint64_t weight) override;
    std::string name() const override { return "the kv store of the simulator"; }

  private:
    using Keys = std::map<std::string, std::string, std::less<>>;
    struct Change {
        std::string key;
        std::optional<std::string> value;
    };
    struct Write {
        Index applied;
        std::vector<Change> changes;
    };
    static void carry_out(const Write& write, Keys& keys);

    Keys keys_;
    Keys disk_;
    Index durable_;
    Write collected_;
    std::deque<Write> unflushed_;
};

}  // namespace assent::sim
