// What can happen to a replica. The caller reads both clocks after the event itself was received (R8).
#pragma once

#include <variant>

#include "core/message.h"

namespace assent::event {

// Everything has been recovered: begin. Comes once, first.
struct Start {};

// Members of the CPG group now, sorted, after the ring-id callback has closed the view; also when the members
// changed without a new ring. The group intersects them with the ring's nodes (ghosts) before it says so.
struct View {
    RingId ring;
    std::vector<NodeId> members;
};

// corosync is gone, or the group was left: no view, and what was not self-delivered may be lost.
struct CpgLost {};

struct Quorum {
    bool quorate = false;
};

// corosync's nodelist with votequorum's votes, sorted by node.
struct NodeList {
    std::vector<ListedNode> nodes;
};

// Peers with a live side channel, sorted.
struct Links {
    std::vector<NodeId> up;
};

// Does the application here take work? False when it hangs or is gone.
struct Application {
    bool healthy = true;
};

struct Received {
    Header header;
    Message message;
    bool by_cpg = false;
};

// Everything up to and with this Persist has been through fdatasync.
struct Persisted {
    PersistSeq seq;
};

// What the application says of entries it was asked to prepare, in any order (used when Options::accept_at_once is off).
// Of an entry that was withdrawn and came again, only an answer to the newest asking is to be told.
struct Opinions {
    std::vector<Index> accepted;
    std::vector<Rejection> rejected;
};

// The application is a new one, or was started again, and has applied everything up to here. What is not durably accepted
// is asked again.
struct Attached {
    Index applied;
};

// The application has applied everything up to here; what is cancelled it has been told of.
struct Applied {
    Index upto;
};

// What a Serve asked for: entries from Serve::from on, as many as fitted, in order; empty if they could not be read.
struct EntriesRead {
    NodeId to;
    uint64_t id = 0;
    Epoch epoch;
    Position previous;
    std::vector<EntryPtr> entries;
};

// A client's write; the master answers it once, others refuse it at once.
struct Submit {
    Token token;
    ClientId client;
    uint64_t sequence = 0;
    uint64_t first_unanswered = 0;
    std::string data;
};

// A linearizable read.
struct Read {
    Token token;
};

// What became of this write? Answered for certain, if need be by making sure that it can never happen.
struct AskOutcome {
    Token token;
    ClientId client;
    uint64_t sequence = 0;
};

// Nobody waits for this token any more.
struct Forget {
    Token token;
};

// Hand mastership over: to `target`, or to the best one (0). Answered with `done` when sent, `refused` if nobody can take it.
struct MoveMaster {
    Token token;
    NodeId target;
};

// End of a batch of input: what was collected goes out now.
struct Flush {};

// The deadline of the last update has come.
struct Tick {};

}  // namespace assent::event

namespace assent {

using Event = std::variant<event::Start, event::View, event::CpgLost, event::Quorum, event::NodeList, event::Links,
                           event::Application, event::Received, event::Persisted, event::Opinions, event::Attached,
                           event::Applied, event::EntriesRead, event::Submit, event::Read, event::AskOutcome,
                           event::Forget, event::MoveMaster, event::Flush, event::Tick>;

}  // namespace assent
