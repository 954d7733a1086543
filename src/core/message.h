// What nodes say to each other. On CPG: STATUS, VOTE_REQUEST, VOTE, PROPOSE, CONFIRM, STEP_DOWN, TRANSFER.
// Over the side channel: ACK, HEARTBEAT and its answer, FETCH, ENTRIES. A message of the second list that has no TCP link
// goes over CPG with its addressee in the header, FETCH and ENTRIES excepted.
#pragma once

#include <variant>

#include "core/types.h"

namespace assent {

// Lowest and highest protocol version this build speaks.
constexpr uint32_t kProtocolMin = 1;
constexpr uint32_t kProtocolMax = 1;

struct Header {
    uint32_t version = kProtocolMax;
    ClusterId cluster;  // zero: the sender has none yet
    NodeId from;
    NodeId to;                // 0: everybody
    LedgerId ledger;          // the sender's
    Incarnation incarnation;  // a later start on the same ledger has a greater one
    RingId ring;              // the view it was sent in: a hint for people, never a reason to drop
    uint64_t sequence = 0;    // on CPG, from 1, without holes, one count a sender's incarnation; over TCP 0
};

// A node and its votes as corosync's nodelist and votequorum tell them.
struct ListedNode {
    NodeId node;
    uint32_t votes = 1;
    auto operator<=>(const ListedNode&) const = default;
};

struct Status {
    Epoch ballot;
    Position last;
    Epoch master_epoch;         // of the master this node knows; 0 with master 0
    NodeId master;              // 0: it knows none
    std::vector<NodeId> links;  // peers with a live TCP link, sorted
    bool application_healthy = true;
    uint32_t priority = 0;             // greater goes first
    std::vector<ListedNode> nodelist;  // sorted by node
    bool ledger_empty = true;
    uint32_t protocol_min = kProtocolMin;
    uint32_t protocol_max = kProtocolMax;
    bool answer_wanted = false;  // "I have not heard from you: say yours"
};

struct VoteRequest {
    Epoch epoch;
    Position last;
    bool handover = false;  // the master itself asked the candidate to stand
    EntryPtr first_config;  // entry 1, for nodes that have no cluster_id yet
};

struct Vote {
    Epoch epoch;  // of the request
    bool granted = false;
    Epoch ballot;   // of the voter: above `epoch` if that is why it refused
    Position last;  // of the voter
};

struct Propose {
    Epoch epoch;
    Position previous;              // the entry before the first one here
    std::vector<EntryPtr> entries;  // may be empty when `last` announces entries too large for CPG
    Index last;                     // the master's last index after this proposal
    VerdictPair verdicts;           // {0,0}: nothing announced in this epoch yet
};

struct Confirm {
    Epoch epoch;
    VerdictPair verdicts;
};

// The master frees those who granted it a lease in `epoch`.
struct StepDown {
    Epoch epoch;
};

// As StepDown, and `target` shall stand at once.
struct Transfer {
    Epoch epoch;
    NodeId target;
};

struct Ack {
    Epoch epoch;
    Index durable;
    Index accepted;
    std::vector<Rejection> rejected;  // the lowest ones, at most kMaxRejections
};

struct Heartbeat {
    Epoch epoch;
    uint64_t id = 0;        // from 1 in each epoch; names the master's clock reading
    uint64_t lease_us = 0;  // L; 0: no lease asked
    Position last;
    VerdictPair verdicts;
};

struct HeartbeatAnswer {
    Epoch epoch;
    uint64_t id = 0;
    bool lease_granted = false;
};

struct Fetch {
    Epoch epoch;            // the master's the asker follows
    std::vector<Run> runs;  // the asker's newest runs, newest first, at most kMaxFetchRuns
    Position matched;       // up to here the asker's ledger matches that master; (0,0): not known yet
    Position last;          // the asker's last entry: where its newest run ends
    uint64_t id = 0;        // returned in ENTRIES
};

struct Entries {
    Epoch epoch;
    uint64_t id = 0;
    Position previous;  // an entry that both have, or (0,0)
    std::vector<EntryPtr> entries;
    Position last;         // the server's last entry that matches the master of `epoch`
    VerdictPair verdicts;  // what the master announces; {0,0}: the server is not the master
};

constexpr size_t kMaxFetchRuns = 32;
constexpr size_t kMaxRejections = 64;

using Message = std::variant<Status, VoteRequest, Vote, Propose, Confirm, StepDown, Transfer, Ack, Heartbeat,
                             HeartbeatAnswer, Fetch, Entries>;

// "PROPOSE" and so on.
const char* name(const Message& m);

}  // namespace assent
