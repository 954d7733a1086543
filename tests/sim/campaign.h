// Many seeds, on many processes: progress, failures as they come, totals at the end.
#pragma once

#include "options.h"

namespace assent::sim {

// The exit code of the program.
int run_campaign(const Command& command);

}  // namespace assent::sim
