// The core's picture of its ledger: where each epoch begins, every CONFIG, and the entries that have no
// verdict yet. The bytes are the ledger's business.
#pragma once

#include <deque>

#include "core/types.h"

namespace assent {

class Log {
  public:
    // `tail`: the entries after `released`.
    void restore(Position last, std::vector<Run> runs, std::vector<EntryPtr> configs, std::vector<EntryPtr> tail,
                 Index released);

    Position last() const { return last_; }
    Index first_kept() const { return first_kept_; }
    // The epoch of the entry at `index`; nothing if there is none. Index 0 has epoch 0.
    std::optional<Epoch> epoch_at(Index index) const;
    bool has(Position p) const { return epoch_at(p.index) == p.epoch; }
    const std::vector<Run>& runs() const { return runs_; }
    // The entry, if it is still kept; else null.
    EntryPtr entry(Index index) const;
    // Bytes of the entries above `index`.
    uint64_t bytes_above(Index index) const;

    // The newest CONFIG (empty if there is none), and the one before it (null if there is none).
    const Config& config() const;
    const Config* previous_config() const;
    // The CONFIG in force at this index, and all later ones.
    std::vector<EntryPtr> configs_from(Index index) const;
    EntryPtr first_config() const { return configs_.empty() ? nullptr : configs_.front(); }

    void append(const EntryPtr& entry);
    void truncate_from(Index from);
    // Entries at or below are not asked for any more.
    void release(Index upto);

  private:
    Position last_;
    Index first_kept_{1};
    std::deque<EntryPtr> kept_;
    std::deque<uint64_t> bytes_;     // running sum up to and with the entry in kept_ of the same place
    uint64_t bytes_before_ = 0;      // running sum before kept_
    std::vector<Run> runs_;          // oldest first
    std::vector<EntryPtr> configs_;  // oldest first
};

}  // namespace assent
