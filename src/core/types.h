// The words of the protocol as types. Each number has its own type, so that an epoch cannot be passed for an index.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assent {

// A number that mixes with nothing but itself.
template <typename Tag, typename Rep> struct Number {
    Rep value = 0;
    constexpr Number() = default;
    explicit constexpr Number(Rep v) : value(v) {}
    auto operator<=>(const Number&) const = default;
    explicit operator bool() const { return value != 0; }
};

// At most one master in each. 0 is the epoch of the first CONFIG alone.
using Epoch = Number<struct EpochTag, uint64_t>;
// A place in the ledger; the first entry is at 1, and 0 means "none".
using Index = Number<struct IndexTag, uint64_t>;
// corosync's node id; 0 means "none".
using NodeId = Number<struct NodeIdTag, uint32_t>;
// Random, made when a ledger was formatted: tells a wiped disk from the one that was voted in.
using LedgerId = Number<struct LedgerIdTag, uint64_t>;
// One a run of the process: greater at each start on one ledger, random in its lower half.
using Incarnation = Number<struct IncarnationTag, uint64_t>;
// Number of a Persist, handed out by the core from 1.
using PersistSeq = Number<struct PersistSeqTag, uint64_t>;
// Whom an answer belongs to; made by whoever calls the core, and opaque to it.
using Token = Number<struct TokenTag, uint64_t>;

inline Index next(Index i) { return Index(i.value + 1); }
inline Index prior(Index i) { return Index(i.value - 1); }
inline Epoch next(Epoch e) { return Epoch(e.value + 1); }

// 128 random bits, made once with the first CONFIG; all zero: no cluster yet.
struct ClusterId {
    uint64_t high = 0;
    uint64_t low = 0;
    auto operator<=>(const ClusterId&) const = default;
    explicit operator bool() const { return high != 0 || low != 0; }
};

// Names a view within one uptime of corosync; it is no epoch (corosync may use it again after a power loss).
struct RingId {
    NodeId representative;
    uint64_t sequence = 0;
    auto operator<=>(const RingId&) const = default;
};

// Where a ledger ends, or an entry lies. The order is the order of completeness.
struct Position {
    Epoch epoch;
    Index index;
    auto operator<=>(const Position&) const = default;
};

// {confirm, stored}: announced together (R7).
struct VerdictPair {
    Index confirm;
    Index stored;
    auto operator<=>(const VerdictPair&) const = default;
};

// A client: the confirm index at which the id was given out, and 64 random bits (R10).
struct ClientId {
    Index birth;
    uint64_t random = 0;
    auto operator<=>(const ClientId&) const = default;
};

enum class EntryKind : uint8_t {
    write = 1,   // the application's
    epoch = 2,   // a master's first
    config = 3,  // voters
    cancel = 4,  // names an index, or a client and sequence, that will not be
};

// A voter is a node id with its ledger id; votes are votequorum's.
struct Voter {
    NodeId node;
    LedgerId ledger;
    uint32_t votes = 1;
    bool operator==(const Voter&) const = default;
};

// The recorded voters. `outgoing` is the old set while the configuration is joint, else empty.
struct Config {
    ClusterId cluster;
    std::vector<Voter> voters;
    std::vector<Voter> outgoing;
    bool operator==(const Config&) const = default;
};

// What a CANCEL names: an index, or (index 0) a client and sequence.
struct CancelTarget {
    Index index;
    ClientId client;
    uint64_t sequence = 0;
    bool operator==(const CancelTarget&) const = default;
};

struct Entry {
    Index index;
    Epoch epoch;
    EntryKind kind = EntryKind::write;
    ClientId client;                       // WRITE; random 0: nobody's
    uint64_t sequence = 0;                 // WRITE; from 1
    uint64_t first_unanswered = 0;         // WRITE; the client needs no outcome below it any more
    std::string data;                      // WRITE; CANCEL: the reason, for people
    std::shared_ptr<const Config> config;  // CONFIG
    CancelTarget cancel;                   // CANCEL
    VerdictPair announced;                 // the first of a batch: what its master had announced before it; else {0,0}

    Position position() const { return {epoch, index}; }
};

// Entries are made once and then shared: by ledger, network, application and core, over threads, never changed.
using EntryPtr = std::shared_ptr<const Entry>;

// What became of an entry: `cancel` is the CANCEL that names it; null: it is confirmed.
struct Verdict {
    EntryPtr entry;
    EntryPtr cancel;
};

// The application here cannot take the write at this index.
struct Rejection {
    Index index;
    std::string reason;  // for people; at most kMaxReasonBytes
    bool operator==(const Rejection&) const = default;
};
constexpr size_t kMaxReasonBytes = 256;

// Bytes an entry counts for wherever a bound is kept.
inline uint64_t weight(const Entry& e) { return 96 + e.data.size() + (e.config ? 24 * e.config->voters.size() : 0); }

// A run of entries of one epoch: it starts at `first` and goes on to the next run or the ledger's end.
struct Run {
    Epoch epoch;
    Index first;
    auto operator<=>(const Run&) const = default;
};

// Identity and ballot: what a node must know of itself, durable beside the entries.
struct NodeState {
    ClusterId cluster;
    LedgerId ledger;
    NodeId node;
    Epoch ballot;
    NodeId voted_for;               // in `ballot`; 0: nobody
    uint64_t longest_lease_us = 0;  // the longest lease ever granted (R8)
    bool operator==(const NodeState&) const = default;
};

// The core's clocks, in microseconds, read at one moment: CLOCK_MONOTONIC_RAW, which nobody slews, and the time spent in
// suspend, which it does not count. Their sum is what a lease is counted on (R8).
struct Now {
    int64_t raw_us = 0;
    int64_t suspended_us = 0;
    int64_t awake_or_not_us() const { return raw_us + suspended_us; }
};

// "(4,181)": epoch, index.
inline std::string text(Position p) {
    return "(" + std::to_string(p.epoch.value) + "," + std::to_string(p.index.value) + ")";
}

}  // namespace assent

template <typename Tag, typename Rep> struct std::hash<assent::Number<Tag, Rep>> {
    size_t operator()(const assent::Number<Tag, Rep>& n) const { return std::hash<Rep>()(n.value); }
};
template <> struct std::hash<assent::ClientId> {
    size_t operator()(const assent::ClientId& c) const {
        return std::hash<uint64_t>()(c.random ^ (c.birth.value * 0x9e3779b97f4a7c15ULL));
    }
};
