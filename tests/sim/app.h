// The application of a node: a map of keys to values, with the index of the write that set each. If it is asked, it answers
// late, in any order, and may reject.
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "core/event.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

struct AppValue {
    std::string value;
    Index written;  // 0: never
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

    Index applied() const { return Index(applied_.size()); }
    Index durable() const { return durable_; }
    // The newest WRITE's index at or below applied().
    Index newest_write() const { return newest_write_; }
    AppValue get(const std::string& key) const;
    // The rule of those that have rules.
    static bool against_rules(const Entry& entry);

  private:
    void work();
    void answer();
    void apply(const Verdict& verdict);
    void put(const Verdict& verdict);

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
    std::vector<Verdict> applied_;  // index 1 first
    Index durable_;
    Index newest_write_;
    std::map<std::string, AppValue> map_;
};

}  // namespace assent::sim
