// Faults as data: a run's strikes are drawn before it begins, from a stream of numbers of their own, and each has its
// own seed for its parameters. So any of them can be left out without changing what the others mean.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/types.h"
#include "random.h"

namespace assent::sim {

enum class StrikeKind : uint8_t {
    split,           // the network falls into parts, CPG and side channel or one of them
    heal,            // the network is whole
    hidden_view,     // a split that changes again before everybody was told of it
    kill,            // kill -9 of the daemon
    power,           // of one host
    power_all,       // of all at once
    corosync_kill,   // corosync dies under a live daemon
    corosync_stop,   // corosync is stopped politely
    corosync_blink,  // corosync is back before anybody missed it
    pause,           // SIGSTOP of the daemon
    suspend,         // of the host: its clocks stand still too
    slow_process,    // a daemon that reads late
    slow_disk,
    disk,  // anything else that disks do (disk_faults.h)
    hang_application,
    restart_application,  // alone, from an older state
    reject_all,           // the application takes nothing for a while
    cut_link,             // side channel, one way or both
    break_link,           // side channel: the connection ends
    slow_link,            // side channel
    cpg_busy,             // corosync answers TRY_AGAIN
    cpg_noise,            // messages lost and repeated
    ghost,                // a member that is gone and stays in the list
    quorum_lies,          // the quorate flag says anything
    move_master,          // an administrator's wish
    clock_drift,          // the raw clock goes on at another rate within its bound
    lonely_master,        // it stands still or is late, and the others lose it meanwhile
    quick_masters,        // one after the other, while a link is slow
    count
};
constexpr size_t kStrikeKinds = size_t(StrikeKind::count);
const char* name(StrikeKind kind);

struct Strike {
    uint32_t number = 0;  // from 1, in the order of time
    int64_t at_us = 0;    // from the beginning of the faults
    StrikeKind kind = StrikeKind::heal;
    NodeId node;
    uint64_t seed = 0;
};

using StrikeCounts = std::array<uint64_t, kStrikeKinds>;

// Those of a time of faults that lasts so long; a shorter one has the same, but for the last ones. Some kinds are left
// out in most runs, so that the others meet more often.
std::vector<Strike> draw_strikes(uint64_t seed, uint32_t nodes, int64_t lasts_us);

}  // namespace assent::sim
