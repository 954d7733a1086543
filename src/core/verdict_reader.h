// Tells the verdicts from the ledger alone (R7). The first entry of each batch says what its master had announced before
// it: {confirm, stored}. Whoever has that entry has that master's ledger below it (R3), so every CANCEL that matters for
// entries up to `confirm` is among those up to `stored`. For recovery, and for an application that is behind its node.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/types.h"

namespace assent {

class VerdictReader {
  public:
    // Verdicts are wanted from the entry after `after` on.
    explicit VerdictReader(Index after) : decided_(after) {}

    // The next entry of the ledger. Those at or below decided() tell only what they announce.
    void add(const EntryPtr& entry);
    // A pair learnt in another way; kept until the entries up to its stored index have come.
    void announce(const VerdictPair& pair);
    // The verdicts that became known, in index order.
    std::vector<Verdict> take();

    // All up to here has its verdict.
    Index decided() const { return decided_; }
    // The greatest pair used; {0,0}: none yet.
    const VerdictPair& pair() const { return pair_; }
    // Entries without a verdict, in order.
    const std::deque<EntryPtr>& undecided() const { return undecided_; }

  private:
    void use(const VerdictPair& pair);

    Index decided_;
    Index read_;
    VerdictPair pair_;
    VerdictPair waiting_;
    std::deque<EntryPtr> undecided_;
    std::map<Index, EntryPtr> cancels_;  // by the index they name
    std::vector<Verdict> verdicts_;
};

}  // namespace assent
