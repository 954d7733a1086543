// What is in a ledger, without the entries: where it begins and ends, its runs, its mark. The rules of what may follow
// what are here, the same for writing and for recovery.
#pragma once

#include <algorithm>
#include <deque>

#include "core/types.h"

namespace assent::ledger {

struct Outline {
    Index first;    // 0: no entry here
    Position last;  // index 0: none. With first 0, but not this: entries up to here were dropped
    Index mark;
    std::deque<Run> runs;  // of the entries from `first` on

    // An empty ledger goes on anywhere (a snapshot may lie before).
    bool may_append(Position p) const {
        if (p.index.value == 0) return false;
        return last.index.value == 0 || (p.index == next(last.index) && p.epoch >= last.epoch);
    }
    void append(Position p) {
        if (!first) first = p.index;
        if (runs.empty() || runs.back().epoch != p.epoch) runs.push_back({p.epoch, p.index});
        last = p;
    }
    bool would_truncate(Index from) const { return last.index >= from || mark >= from; }
    void truncate(Index from) {
        mark = std::min(mark, prior(from));
        if (last.index < from) return;
        while (!runs.empty() && runs.back().first >= from) runs.pop_back();
        if (!first || from <= first) {
            first = Index();
            last = Position();
            runs.clear();
        } else {
            last = {runs.back().epoch, prior(from)};
        }
    }
    // Entries below are gone; never the last one.
    void drop_before(Index index) {
        first = index;
        while (runs.size() > 1 && runs[1].first <= index) runs.pop_front();
    }
};

// Where an entry's record is.
struct Location {
    uint32_t segment = 0;
    uint32_t offset = 0;
};

// One location for each entry, in index order; segments never go down.
struct Table {
    Index first;
    std::deque<Location> at;

    Index end() const { return Index(first.value + at.size()); }
    bool has(Index i) const { return i >= first && i < end() && !at.empty(); }
    const Location& operator[](Index i) const { return at[i.value - first.value]; }
    void append(Index i, Location location) {
        if (at.empty()) first = i;
        at.push_back(location);
    }
    void truncate(Index from) {
        while (!at.empty() && prior(end()) >= from) at.pop_back();
    }
    void drop_segments_below(uint32_t segment) {
        while (!at.empty() && at.front().segment < segment) {
            at.pop_front();
            first = next(first);
        }
    }
};

}  // namespace assent::ledger
