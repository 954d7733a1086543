// The search for an order of the operations on one key.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "lincheck.h"
#include "steps.h"

namespace assent::lincheck {

// What is left of the limits; shared by the searches of a check.
class Budget {
  public:
    explicit Budget(const Limits& limits);
    bool take_step();
    bool exhausted() const { return exhausted_; }
    void exhaust() { exhausted_ = true; }
    uint64_t steps() const { return steps_; }
    // So many steps of it, for a try; spent() takes them off.
    Budget part(uint64_t steps) const;
    void spent(const Budget& part) { steps_ = part.steps_; }
    uint64_t memory_bytes() const { return limits_.memory_bytes; }

  private:
    Limits limits_;
    std::chrono::steady_clock::time_point end_;
    uint64_t steps_ = 0;
    bool exhausted_ = false;
};

struct SetHash {
    uint64_t high = 0;
    uint64_t low = 0;
    bool operator==(const SetHash&) const = default;
    SetHash operator^(const SetHash& o) const { return {high ^ o.high, low ^ o.low}; }
};

// States of the search that were tried: what is done of that which must happen, what the key is, and which of the others
// were used to get there. To have used more is no better. Open addressing, doubles when it is two thirds full.
class SeenStates {
  public:
    using Used = std::vector<uint32_t>;  // sorted

    explicit SeenStates(uint64_t memory_bytes) : memory_bytes_(memory_bytes), slots_(64) {}
    enum class Added { fresh, seen, no_room };
    Added add(SetHash state, const Used& used);

  private:
    struct Slot {
        SetHash state;
        uint32_t newest = 0;  // in ways_, from 1; 0: free
    };
    struct Way {
        uint32_t older;
        uint32_t begin, size;  // in used_
    };

    Slot& slot_of(SetHash state);
    void grow();
    uint64_t bytes() const;

    uint64_t memory_bytes_;
    std::vector<Slot> slots_;
    size_t taken_slots_ = 0;
    std::vector<Way> ways_;
    Used used_;
};

// How far the longest order came.
struct DeadEnd {
    size_t done = 0;  // operations that must happen, in that order
    std::vector<const Operation*> last;
    const Operation* set_by = nullptr;   // made the key what it is then; none: it is absent
    std::vector<const Operation*> next;  // each could be next by its times, and none fits
};

// How often one of unknown outcome may happen. `often` takes far fewer steps, for then it does not matter which were used;
// what has no order even so has none.
enum class Unknown : uint8_t { once, often };

class Search {
  public:
    // Steps in any order.
    Search(std::vector<Step> steps, Unknown unknown, Budget& budget);

    Verdict run();
    // After not_linearizable.
    const DeadEnd& dead_end() const { return dead_end_; }

  private:
    using Place = uint32_t;  // in steps_; two more are the ends of the lists
    struct Taken {
        Place place;
        Value before;
        int64_t bound;  // what follows it in its list is tried next if it was called by then
        bool forced;    // no alternative to it
    };
    struct Cursor {
        Place place;
        int64_t bound;
    };

    void append(Place list, Place place);
    void unlink(Place place);
    void link_again(Place place);
    bool take_fitting_read();
    bool take_next(Cursor from);
    bool fresh(SetHash state);
    bool take_required(Cursor& at);
    bool take_optional(Cursor at);
    bool seen_by(const Step& step) const;
    bool has_earlier_twin(Place place) const;
    void take(Place place, Value after, int64_t bound, bool forced);
    void undo(const Taken& last);
    std::optional<Cursor> back();
    void note_dead_end();

    std::vector<Step> steps_;
    Unknown unknown_;
    Budget& budget_;
    SeenStates seen_;
    std::vector<SetHash> hashes_;
    std::vector<Place> next_, previous_;  // two lists by the time of the call: what must happen, what may
    Place required_, optional_;
    Value value_ = kAbsent;
    SetHash done_hash_;  // of what must happen
    SeenStates::Used used_;
    std::vector<Taken> taken_;
    size_t required_done_ = 0;
    DeadEnd dead_end_;
};

}  // namespace assent::lincheck
