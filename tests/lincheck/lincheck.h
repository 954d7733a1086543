// Is a history linearizable? Is there one order of all operations in which each has its effect between its call and its
// return and gets the answer that it got? Keys do not depend on each other, so each is looked at by itself.
//
// The search is that of Wing and Gong with Lowe's memory of what was tried: operations that may come next are tried one
// after the other, and a set of operations done that leads to the same value is tried once. Three things keep it small:
// what only reads and fits goes first, without an alternative; an operation of unknown outcome takes effect only where
// the next one sees it; and sets are remembered as 128-bit sums of random numbers (that two of a million sets share one
// has a chance of 2^-89).
#pragma once

#include <cstdint>
#include <string>

#include "history.h"

namespace assent::lincheck {

struct Limits {
    uint64_t steps = UINT64_MAX;  // orders tried; deterministic, unlike time
    double seconds = 0;           // 0: as long as it takes
    uint64_t memory_bytes = 1ull << 30;
};

enum class Verdict : uint8_t { linearizable, not_linearizable, could_not_tell };

struct Report {
    Verdict verdict = Verdict::linearizable;
    std::string
        text;  // for a person, if it is not linearizable: the key, the answer that fits no order, and what is near
    uint64_t keys = 0;
    uint64_t steps = 0;
};

// Operations at the same microsecond count as overlapping. Stops at the first key that is not linearizable.
Report check(const History& history, const Limits& limits = {});

}  // namespace assent::lincheck
