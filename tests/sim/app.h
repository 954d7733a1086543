// The application of a node: a map of keys to values, with the index of the write that set each.
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "core/types.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

struct AppValue {
    std::string value;
    Index written;  // 0: never
};

class App {
  public:
    struct Hooks {
        std::function<void(const EntryPtr&)> applying;  // for the invariants
        std::function<void(Index)> applied;             // tells the replica
        std::function<void(Index)> accepted;            // only used when asked by prepare()
    };
    App(Schedule& schedule, Random& random, Span latency, Hooks hooks);

    void confirm(const std::vector<EntryPtr>& entries);
    void prepare(const std::vector<EntryPtr>& entries);
    void withdraw(Index from);
    // It stands still; everything waits.
    void hang(bool on);
    bool hung() const { return hung_; }
    // Back to the durable state, as after a restart of process or host; what had been asked of it is forgotten.
    void crash();

    Index applied() const { return Index(applied_.size()); }
    Index durable() const { return durable_; }
    // The newest WRITE's index at or below applied().
    Index newest_write() const { return newest_write_; }
    AppValue get(const std::string& key) const;

  private:
    void work();
    void apply(const EntryPtr& entry);
    void put(const Entry& entry);

    Schedule& schedule_;
    Random& random_;
    Span latency_;
    Hooks hooks_;
    bool hung_ = false;
    bool busy_ = false;
    uint64_t life_ = 0;
    std::deque<EntryPtr> confirmed_;
    std::deque<EntryPtr> prepared_;
    std::vector<EntryPtr> applied_;  // index 1 first
    Index durable_;
    Index newest_write_;
    std::map<std::string, AppValue> map_;
};

}  // namespace assent::sim
