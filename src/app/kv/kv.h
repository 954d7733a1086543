// The built-in application: the kv machine on RocksDB.
#pragma once

#include "app/kv/kv_machine.h"
#include "app/kv/rocks_store.h"

namespace assent::kv {

struct KvOptions : Limits, RocksOptions {};

class Kv : public Application {
  public:
    // Throws Failure naming the folder and what to do.
    explicit Kv(const KvOptions& options) : store_(options), machine_(store_, options) {
        store_.opened(machine_.applied());
    }

    const char* kind() const override { return "kv"; }
    ClusterId cluster() const override { return machine_.cluster(); }
    Index durable_applied() const override { return store_.durable(); }
    Result<bool> check_write(std::string_view request) const override { return machine_.check_write(request); }
    void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) override {
        machine_.apply(entries, results);
    }
    Result<std::string> result_of(Index index) override { return machine_.result_of(index); }
    Result<std::string> query(std::string_view request, Index applied) override {
        return machine_.query(request, applied);
    }
    uint64_t digest() override { return machine_.digest(); }

  private:
    RocksStore store_;
    Machine machine_;
};

}  // namespace assent::kv
