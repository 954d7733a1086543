#include "bench/cpu.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace assent::bench {

Result<ProcessCpu> parse_stat(const std::string& line, long ticks_per_second) {
    // "PID (NAME) S …": the name may hold blanks and brackets, so the last bracket ends it.
    size_t open = line.find('(');
    size_t close = line.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return Error{"no line of /proc/PID/stat"};
    ProcessCpu process;
    process.name = line.substr(open + 1, close - open - 1);
    std::istringstream head(line.substr(0, open)), rest(line.substr(close + 1));
    head >> process.pid;
    std::string skipped;
    for (int field = 3; field < 14; field++) rest >> skipped;
    uint64_t user = 0, system = 0;
    rest >> user >> system;
    if (!head || !rest) return Error{"no line of /proc/PID/stat"};
    process.seconds = static_cast<double>(user + system) / static_cast<double>(ticks_per_second);
    return process;
}

Result<ProcessCpu> cpu_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return Error{"there is no process " + std::to_string(pid)};
    return parse_stat(line, ::sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace assent::bench
