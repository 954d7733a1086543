// Collects what a start finds in the ledger. The ledger's owner feeds it every entry in order, so that a ledger larger
// than memory can be read through: only what is above the application's applied index is kept.
#pragma once

#include "core/clients.h"
#include "core/options.h"
#include "core/types.h"

namespace assent {

class Recovered {
  public:
    // `applied`: the application's durable applied index; what lies at or below it is confirmed.
    Recovered(const Options& options, const NodeState& state, Index mark, Index applied);
    // Entries in index order without holes, from the ledger's first one on.
    void add(const EntryPtr& entry);

    NodeState state;
    Index mark;
    Index applied;
    Position last;
    std::vector<Run> runs;          // oldest first
    std::vector<EntryPtr> configs;  // every CONFIG entry, oldest first
    std::vector<EntryPtr> tail;     // entries above `applied`
    ClientTable clients;            // as of `applied`
};

}  // namespace assent
