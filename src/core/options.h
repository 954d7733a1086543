// What a replica is told once, at its start.
#pragma once

#include "core/types.h"

namespace assent {

struct Options {
    NodeId node;
    Incarnation incarnation;     // greater at each start on the same ledger, and never the same twice
    ClusterId fresh_cluster;     // random; used only if this node founds the cluster
    uint64_t random_seed = 1;    // election delays
    uint32_t priority = 0;       // greater goes first among ledgers as complete
    int64_t lease_us = 300'000;  // L; 0: every read takes a round
    int64_t heartbeat_us = 100'000;
    int64_t master_timeout_us = 1'000'000;  // T, above the lease
    int64_t confirm_delay_us = 5'000;       // how long a CONFIRM waits for a PROPOSE to ride on
    bool accept_at_once = true;             // the application is built in and accepts whatever is appended
    bool ack_by_cpg = false;                // ack_path: cpg
    uint64_t batch_bytes = 48 << 10;        // most bytes of entries in one PROPOSE
    uint32_t proposals_in_flight = 4;       // own PROPOSEs not yet self-delivered
    uint64_t cpg_entry_bytes = 128 << 10;   // larger entries go over TCP alone
    uint64_t undecided_bytes = 32 << 20;    // the master proposes no more beyond it
    uint64_t queue_bytes = 16 << 20;        // writes that wait for that; more are refused as busy
    uint64_t tail_bytes = 64 << 20;         // a follower appends no undecided entries beyond it
    uint64_t fetch_bytes = 1 << 20;         // in one ENTRIES
    uint32_t max_clients = 65'536;          // in the client table
    uint32_t max_outcomes = 4'096;          // of one client in it
};

// R8: the lease counts for this share of L with the master (the drift bound is 5 %).
constexpr int64_t kLeasePercent = 95;

}  // namespace assent
