// What is always true (doc/protocol.md, I1–I9). Invariants looks at one replica's step, ClusterInvariants at all replicas of
// a simulated cluster; both are pure and only compare, so they can run after every step in tests and debug builds.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/options.h"
#include "core/replica.h"

namespace assent {

// One run of one replica. Not thread-safe.
class Invariants {
  public:
    explicit Invariants(const Options& options) : node_(options.node), incarnation_(options.incarnation) {}

    // `update` led from `before` to `after`. Returns what is broken, for a person; empty: nothing.
    std::string check(const ReplicaView& before, const ReplicaView& after, const Update& update);

  private:
    void never_back(const ReplicaView& before, const ReplicaView& after);
    void within(const ReplicaView& before, const ReplicaView& after);
    void persisted(const ReplicaView& before, const ReplicaView& after, const Persist& unit);
    void verdicts(const ReplicaView& after, const std::vector<Verdict>& given);
    void sent(const ReplicaView& after, const Outgoing& out);
    void broken(const char* rule, const std::string& detail);

    NodeId node_;
    Incarnation incarnation_;
    uint64_t cpg_sent_ = 0;
    PersistSeq last_unit_;
    bool begun_ = false;
    Index handed_;  // verdicts given to the application
    std::string broken_;
};

// All replicas of one cluster, told of everything they do, their syncs included. Ledgers begin at index 1.
// Every call returns what is broken, for a person; empty: nothing.
class ClusterInvariants {
  public:
    // What a start found on disk, in place of all that was known of this node's ledger.
    std::string restarted(NodeId node, Incarnation incarnation, const NodeState& state,
                          const std::vector<EntryPtr>& entries, Index mark);
    // The disk finished this unit; to be told before the replica hears Persisted.
    std::string synced(NodeId node, const Persist& unit);
    std::string stepped(NodeId node, const ReplicaView& before, const ReplicaView& after, const Update& update);
    // The application of a node hears this verdict, as the next one.
    std::string applied(NodeId node, const Verdict& verdict);

    // Up to here some master confirmed.
    Index decided() const { return Index(decided_.size()); }
    // The decided entry; index from 1 to decided().
    const EntryPtr& decided(Index index) const { return decided_[index.value - 1]; }
    // Was the decided entry at this index cancelled?
    bool cancelled(Index index) const { return cancelled_.count(index) != 0; }
    // The index of a client's confirmed WRITE; 0: there is none.
    Index write_of(const ClientId& client, uint64_t sequence) const;

  private:
    struct Ledger {
        std::vector<EntryPtr> entries;   // index 1 first
        std::vector<EntryPtr> configs;   // those of them that are CONFIG
        std::map<Index, Index> cancels;  // the index a CANCEL here names, to the CANCEL's
        NodeState state;
        Index mark;
        Index last() const { return Index(entries.size()); }
        const Entry* at(Index i) const;
        void take(const Persist& unit);
        void note(const EntryPtr& entry);
    };
    struct Member {
        Incarnation incarnation;
        Ledger asked;    // with every unit handed out
        Ledger durable;  // with every unit that was synced
        Epoch mastered;  // the epoch it is master of now; 0: none
        Ack acked;       // the most it said in the newest epoch in which it did
    };
    struct Master {
        NodeId node;
        Incarnation incarnation;
    };
    struct Known {
        EntryPtr entry;
        Epoch previous;  // of the entry before it
    };

    void masters(NodeId node, const ReplicaView& after);
    void elected(NodeId node, const ReplicaView& after);
    void counted(NodeId node, const ReplicaView& after);
    void announced(const ReplicaView& after, const VerdictPair& pair);
    void voted(NodeId node, const NodeState& state);
    void appended(NodeId node, const Persist& unit);
    void meet(NodeId node, const EntryPtr& entry, Epoch previous);
    void decide(NodeId node, Epoch epoch, Index upto, Index stored);
    void decide_one(NodeId node, const Ledger& ledger, const EntryPtr& entry, Index stored);
    void note_write(const Entry& entry);
    void note_cancel(const Entry& entry);
    void same_verdict(NodeId node, const Verdict& verdict);
    void acked_by_majority(NodeId node, const Entry& entry);
    bool majority(const std::vector<Voter>& voters, const Entry& entry) const;
    void sent(NodeId node, const ReplicaView& after, const Outgoing& out);
    void ack_true(NodeId node, const Ack& ack);
    void broken(const char* rule, const std::string& detail);
    std::string take_broken();

    std::map<NodeId, Member> members_;
    std::map<LedgerId, Ledger> gone_;  // of disks that were wiped: what had been acked from there
    std::map<Epoch, Master> masters_;
    // For whom; that were durable once, also on a disk that was wiped since: what they promised was kept.
    std::map<Epoch, std::map<std::pair<NodeId, LedgerId>, NodeId>> votes_;
    ClusterId cluster_;  // the first one that was durable
    std::map<Position, Known> known_;
    std::vector<EntryPtr> decided_;
    std::vector<Epoch> decided_in_;  // the master's epoch that confirmed it
    std::map<std::pair<ClientId, uint64_t>, Index> writes_;
    std::map<std::pair<ClientId, uint64_t>, Index> cancelled_writes_;
    std::map<Index, Index> cancelled_;  // decided by a CANCEL: its index
    std::string broken_;
};

// The same in every field.
bool same_entry(const Entry& a, const Entry& b);

}  // namespace assent
