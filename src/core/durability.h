// Which part of what was given to the ledger is durable. Persists complete in order, so one number tells all.
#pragma once

#include <deque>

#include "core/types.h"

namespace assent {

class Durability {
  public:
    // What a start found; it has been synced again (R4).
    Durability(Index last, Index mark) : durable_(last), mark_(mark) {}

    // The ledger is cut: what is on its way to the disk from here on is not what the ledger holds there now.
    void cut(Index from);
    // A Persist is handed out: after it the ledger ends at `last` and the mark is `mark`.
    PersistSeq begin(Index last, Index mark, int64_t now_us);
    void complete(PersistSeq upto);

    Index durable() const { return durable_; }  // entries up to here, as the ledger has them now
    Index mark() const { return mark_; }        // accepts up to here
    PersistSeq completed() const { return completed_; }
    PersistSeq issued() const { return issued_; }
    // When the oldest unfinished Persist was handed out; nothing if all are finished.
    std::optional<int64_t> oldest_us() const;

  private:
    struct Pending {
        PersistSeq seq;
        Index last;
        Index mark;
        int64_t since_us;
    };
    std::deque<Pending> pending_;
    Index durable_;
    Index mark_;
    PersistSeq completed_;
    PersistSeq issued_;
};

}  // namespace assent
