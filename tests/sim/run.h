// One run of the simulator: a cluster made from a seed, a time with faults, a time without, and what came of it.
#pragma once

#include <string>

#include "world.h"

namespace assent::sim {

struct RunOptions {
    uint64_t seed = 1;
    uint32_t nodes = 0;     // 0: chosen by the seed
    int64_t faults_us = 0;  // how long faults last; 0: chosen by the seed
    bool trace = false;
    bool attached = false;  // applications that are asked, one run in four otherwise
};

struct RunResult {
    Kind failure = Kind::none;
    std::string what;
    std::deque<std::string> lines;  // the last ones
    uint64_t digest = 0;            // of everything that happened
    uint64_t steps = 0;
    uint64_t decided = 0;    // entries
    uint64_t confirmed = 0;  // writes, to clients
    uint64_t cancelled = 0;
    uint64_t unknown = 0;
    uint64_t reads = 0;
    int64_t simulated_us = 0;
};

RunResult run_once(const RunOptions& options);

}  // namespace assent::sim
