// Operations on one key in the form in which the search takes them: by what their answers say that they did.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "history.h"

namespace assent::lincheck {

// What a key is: 0 no such key, 1 some value that no answer tells from others, else the number of a value.
using Value = uint32_t;
constexpr Value kAbsent = 0;
constexpr Value kSome = 1;
constexpr int64_t kNeverReturns = std::numeric_limits<int64_t>::max();

struct Condition {
    enum Kind : uint8_t { any, is, is_not, never } kind = any;
    Value value = kAbsent;
    bool operator==(const Condition&) const = default;
    bool holds(Value v) const { return kind == any || (kind == is && v == value) || (kind == is_not && v != value); }
    bool names() const { return kind == is || kind == is_not; }
};

struct Step {
    const Operation* operation = nullptr;
    int64_t invoked = 0;
    int64_t returned = kNeverReturns;  // of one that need not happen
    Condition when;                    // it fits only a key like this …
    std::optional<Value> sets;         // … and makes it this; none: it only reads
    bool or_nothing = false;           // where `when` does not hold it fits too, and does nothing

    bool optional() const { return returned == kNeverReturns; }
    bool reads() const { return !sets && !or_nothing; }
    // What the key is after it; none: it does not fit here.
    std::optional<Value> after(Value v) const {
        if (when.holds(v)) return sets ? *sets : v;
        if (or_nothing) return v;
        return {};
    }
};

using Operations = std::vector<const Operation*>;

// As it looked at `upto_us`: what was called later is not there, what returned later is still under way. What can make
// no difference is left out.
std::vector<Step> make_steps(const Operations& operations, int64_t upto_us);

}  // namespace assent::lincheck
