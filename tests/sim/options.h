// The command line of sim.
#pragma once

#include <optional>
#include <string>

#include "run.h"

namespace assent::sim {

struct Command {
    RunOptions run;  // its seed is the first one
    uint64_t seeds = 0;
    uint32_t jobs = 1;
    bool keep_going = false;
    bool shrink = true;
    bool verbose = false;
    std::string mutant;
    bool list_mutants = false;
};

extern const char* const kUsageText;

// Nothing: the command line is wrong.
std::optional<Command> parse_command(int argc, char** argv);

// The command that does this very run again.
std::string replay_command(const Command& command, const RunOptions& run);

}  // namespace assent::sim
