// Collects what a start finds in the ledger. The ledger's owner feeds it every entry in order, so that a ledger larger
// than memory can be read through: only what is undecided is kept.
#pragma once

#include "core/clients.h"
#include "core/options.h"
#include "core/types.h"
#include "core/verdict_reader.h"

namespace assent {

class Recovered {
  public:
    // `applied`: the application's durable applied index; what lies at or below it is decided.
    Recovered(const Options& options, const NodeState& state, Index mark, Index applied);
    // Entries in index order without holes, from the ledger's first one on.
    void add(const EntryPtr& entry);
    // After the last one: what the application has applied has its verdict, announced or not.
    void finish();
    // Up to here the verdicts are known; the replica gives those above. An application that has applied less is given
    // the rest by a VerdictReader of its own.
    const VerdictPair& decided() const { return decided_; }
    // Entries above decided().confirm.
    std::vector<EntryPtr> tail() const { return {reader_.undecided().begin(), reader_.undecided().end()}; }

    NodeState state;
    Index mark;
    Index applied;
    Position last;
    std::vector<Run> runs;          // oldest first
    std::vector<EntryPtr> configs;  // every CONFIG entry, oldest first
    ClientTable clients;            // as of decided()

  private:
    void take();
    VerdictReader reader_;
    VerdictPair decided_;
};

}  // namespace assent
