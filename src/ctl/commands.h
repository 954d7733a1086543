// The verbs: options and a channel to the daemon in, what to print out.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "ctl/output.h"

namespace assent::ctl {

struct Context {
    Channel& channel;
    TimePoint deadline;
    bool colors = false;
    // Standard input to its end, or why not.
    std::function<std::variant<std::string, Problem>()> read_input;
};

Printed run(const Options& options, Context& context);

// Standard input to its end: timed_out at `deadline`, bad_data beyond `max_bytes`.
std::variant<std::string, Problem> read_all(int fd, TimePoint deadline, size_t max_bytes);

}  // namespace assent::ctl
