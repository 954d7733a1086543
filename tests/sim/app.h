// The application of a node: the kv application over a store in memory, with the index of the newest write to each key. If it is asked, it answers
// late, in any order, and may reject.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "app/kv/kv_machine.h"
#include "core/event.h"
#include "memory_store.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

struct AppValue {
    std::string value;  // empty where there is none
    bool found = false;
    Index written;  // by the newest write to it, whatever that did; 0: there was none
};

struct AppManners {
    bool has_rules = false;       // rejects what is against its rules, the same on every node
    uint32_t moody_permille = 0;  // rejects for no reason, and may take it the next time
    uint32_t late_permille = 0;   // leaves a question for later
};

class App {
  public:
    struct Hooks {
        std::function<void(const Verdict&)> deciding;   // for the invariants
        std::function<void(Index)> applied;             // tells the replica
        std::function<void(Position)> took;             // for a check
        std::function<void(event::Opinions)> opinions;  // only used when asked by prepare()
        // What must be the same on every node: a digest of the state after this index, or of the result at it.
        std::function<void(Index, bool is_state, uint64_t digest)> compare;
    };
    App(Schedule& schedule, Random& random, Span latency, AppManners manners, Hooks hooks);

    void decide(const std::vector<Verdict>& verdicts);
    void prepare(const std::vector<EntryPtr>& entries);
    void withdraw(Index from);
    // It stands still; everything waits.
    void hang(bool on);
    bool hung() const { return hung_; }
    // It rejects whatever it is asked, or does so no more.
    void stubborn(bool on) { stubborn_ = on; }
    // Back to the durable state, as after a restart of process or host; what had been asked of it is forgotten.
    void crash();
    // Its store is gone too.
    void wipe();

    Index applied() const { return machine_->applied(); }
    Index durable() const { return store_.durable(); }
    // The newest WRITE's index at or below applied().
    Index newest_write() const { return newest_write_; }
    AppValue get(const std::string& key) const;
    // KvResult of an applied write; none: it is not known any more.
    std::optional<std::string> result_of(Index index);
    // The rule of those that have rules.
    static bool against_rules(const Entry& entry);

  private:
    void work();
    void answer();
    void apply(size_t verdicts);
    void open();

    Schedule& schedule_;
    Random& random_;
    Span latency_;
    AppManners manners_;
    Hooks hooks_;
    bool hung_ = false;
    bool stubborn_ = false;
    bool busy_ = false;
    uint64_t life_ = 0;
    std::deque<Verdict> decided_;
    std::deque<EntryPtr> asked_;
    MemoryStore store_;
    std::unique_ptr<kv::Machine> machine_;
    std::vector<std::pair<Index, std::string>> writes_;  // and their keys
    Index newest_write_;
    std::map<std::string, Index> written_;
};

}  // namespace assent::sim
