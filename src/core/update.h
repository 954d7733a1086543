// What a replica wants done after an event. The caller carries it out in the order of the fields, at once or by queues
// that keep that order. Whatever must wait for a sync is not in an update before the sync was reported.
#pragma once

#include <limits>

#include "core/message.h"

namespace assent {

// One unit for the ledger thread; units are carried out in the order of `seq`, many of them with one sync.
// Within a unit: state, truncation, appends, mark.
struct Persist {
    PersistSeq seq;
    std::optional<NodeState> state;
    Index truncate_from;           // drop this entry and all above; 0: nothing
    std::vector<EntryPtr> append;  // consecutive, the first one follows the ledger's last entry
    std::optional<Index> mark;     // the application here accepted everything up to this index
};

struct Outgoing {
    Header header;  // header.to 0: multicast on CPG
    Message message;
    bool by_cpg = false;
};

// Read ledger entries from `from` up to `upto`, at most `max_bytes` but at least one, and report EntriesRead.
struct Serve {
    NodeId to;
    uint64_t id = 0;
    Epoch epoch;
    Position previous;
    Index from;
    Index upto;
    uint64_t max_bytes = 0;
};

enum class AnswerKind : uint8_t {
    confirmed,   // the write is confirmed at index, epoch; its result comes from the application
    cancelled,   // it will never take effect, says the CANCEL at index
    unknown,     // it may be confirmed later, or never (withdrawn here, or too old to be known)
    not_master,  // nothing was done, or the read could not be finished: ask the master
    busy,        // nothing was done: too much is undecided
    read_ready,  // query the application now: it has applied up to `index`
    done,        // MoveMaster: handed over
    refused,     // MoveMaster: nobody can take it
};

struct Answer {
    Token token;
    AnswerKind kind = AnswerKind::unknown;
    Index index;
    Epoch epoch;
    std::string reason;  // cancelled: why, if it is known here
};

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Update {
    std::optional<Persist> persist;
    std::vector<Outgoing> messages;
    Index withdraw_from;            // the application forgets what it prepared from here on; 0: nothing
    std::vector<EntryPtr> prepare;  // ask the application, maybe once more (never filled with Options::accept_at_once)
    std::vector<Verdict> verdicts;  // every kind of entry, in index order without holes, durable here
    std::vector<Serve> serve;
    std::vector<Answer> answers;
    int64_t deadline_us = kNever;        // call with Tick at this CLOCK_MONOTONIC_RAW time at the latest
    std::vector<std::string> decisions;  // one line a decision, with its reason
};

}  // namespace assent
