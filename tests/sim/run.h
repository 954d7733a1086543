// One run of the simulator: a cluster made from a seed, a time with faults, a time without, and what came of it.
#pragma once

#include <string>

#include "rare.h"
#include "strike.h"
#include "world.h"

namespace assent::sim {

struct RunOptions {
    uint64_t seed = 1;
    uint64_t salt = 0;              // other delays, all else the same
    uint32_t nodes = 0;             // 0: chosen by the seed
    uint32_t clients = 0;           // 0: chosen by the seed
    int64_t faults_us = 0;          // how long faults last; 0: chosen by the seed
    bool all_strikes = true;        // else those of these numbers
    std::vector<uint32_t> strikes;  // in order
    bool trace = false;
    bool attached = false;  // applications that are asked
};

// Sums, over one run or many. Plain numbers: it goes through a pipe as it is.
struct Counts {
    uint64_t runs = 0;
    uint64_t steps = 0;
    uint64_t decided = 0;    // entries
    uint64_t confirmed = 0;  // writes, to clients
    uint64_t cancelled = 0;
    uint64_t unknown = 0;
    uint64_t reads = 0;
    uint64_t simulated_us = 0;
    uint64_t cpu_us = 0;
    StrikeCounts strikes{};

    uint64_t operations() const { return confirmed + cancelled + unknown + reads; }
    void add(const Counts& other);
};

struct RunResult {
    Kind failure = Kind::none;
    std::string what;
    std::deque<std::string> lines;  // the last ones
    uint64_t digest = 0;            // of everything that happened
    Counts counts;
    RareCounts rare;
    // What shrinking begins with: the strikes that were carried out, how long faults lasted or, if less, how long until
    // the failure, and how many clients and nodes there were.
    std::vector<uint32_t> struck;
    int64_t faults_us = 0;
    uint32_t clients = 0;
    uint32_t nodes = 0;
};

RunResult run_once(const RunOptions& options);

// The last lines of the run that is under way, for a crash to write down; null: none is.
const std::deque<std::string>* lines_so_far();

}  // namespace assent::sim
