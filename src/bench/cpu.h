// CPU time of other processes, from /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/failure.h"

namespace assent::bench {

struct ProcessCpu {
    pid_t pid = 0;
    std::string name;
    double seconds = 0;  // user and system, all threads, since the process began; whole clock ticks (10 ms)
};

// One line of /proc/PID/stat. Error: it is none.
Result<ProcessCpu> parse_stat(const std::string& line, long ticks_per_second);
// Error: there is no such process.
Result<ProcessCpu> cpu_of(pid_t pid);

// CPU seconds of this process.
double own_cpu_seconds();

}  // namespace assent::bench
