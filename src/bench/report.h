// What assent-bench prints.
#pragma once

#include <string>
#include <vector>

#include "bench/cpu.h"
#include "bench/load.h"

namespace assent::bench {

struct Report {
    Options options;
    Measured measured;
    std::vector<ProcessCpu> cpu;  // inside the window
};

std::string report_text(const Report& report);
std::string report_json(const Report& report);

}  // namespace assent::bench
