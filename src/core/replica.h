// One node's share of the protocol for one group: event in, update out. Pure: no I/O, clock, thread or log in here.
// Not thread-safe. The rules (R1…) are those of doc/protocol.md.
#pragma once

#include "core/event.h"
#include "core/options.h"
#include "core/recovered.h"
#include "core/update.h"

namespace assent {

enum class Role : uint8_t { follower, candidate, master };

// How far a voter or observer is, as the master knows it; others know only themselves.
struct Progress {
    NodeId node;
    LedgerId ledger;
    uint32_t votes = 0;
    bool present = false;
    bool voter = false;
    bool linked = false;
    bool application_healthy = true;
    Index durable;
    Index accepted;
};

// All that status, tests and invariants may see of a replica.
struct ReplicaView {
    Role role = Role::follower;
    bool observer = false;  // not one of the recorded voters
    std::string reason;     // why it cannot write now, for a person; empty: it can
    bool quorate = false;
    bool can_write = false;  // as far as this node knows
    bool can_read = false;
    NodeState state;
    NodeId master;  // 0: none known
    Epoch master_epoch;
    RingId ring;
    std::vector<NodeId> members;
    Position last;
    Index first_kept;  // lowest index still in the core's memory
    Index durable;     // of the ledger, whoever it matches
    Index matched;     // up to here it matches the ballot's master
    Index mark;        // accepted and durable
    Index stored;
    Index confirmed;
    Index handed;   // verdicts given out
    Index applied;  // within one run of the application it never goes back
    uint64_t application_runs = 0;
    Index epoch_entry;    // a master's own EPOCH entry
    bool lease = false;   // the master's lease ran at the last event
    bool sealed = false;  // the master hands over
    Config config;        // newest in the ledger
    std::vector<Progress> peers;
    uint64_t writes_confirmed = 0;
    uint64_t writes_cancelled = 0;
    uint64_t writes_unknown = 0;
    uint64_t messages_dropped = 0;  // foreign cluster, old epoch, replaced incarnation, duplicate
};

class Replica {
  public:
    Replica(const Options& options, Recovered&& recovered);
    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    Update step(Now now, Event event);

    ReplicaView view() const;  // not cheap: for status, tests, invariants
    bool is_master() const;
    NodeId master() const;  // 0: none known
    Index confirmed() const;
    Index applied() const;
    // Up to `confirm` all verdicts have been given out; every CANCEL that names one of those entries and is durable here
    // counts. For an application that needs older ones again: VerdictReader::announce({confirm, the ledger's end}).
    VerdictPair handed() const;
    // The epoch of the entry at this index, if the ledger has it.
    std::optional<Epoch> epoch_at(Index index) const;
    // An entry still in memory (without a verdict), else null.
    EntryPtr entry(Index index) const;
    const ClientTable& clients() const;
    // A master's: those whose grants make the lease that runs at that time; empty: none runs (R8).
    std::vector<Voter> lease_voters(Now now) const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace assent
