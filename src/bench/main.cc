// assent-bench: connect, write the keys, warm up, measure, report.
#include <cstdio>

#include "bench/report.h"

namespace {

using namespace assent;
using namespace assent::bench;

std::vector<ProcessCpu> sample(const std::vector<pid_t>& pids) {
    std::vector<ProcessCpu> all;
    for (pid_t pid : pids) {
        auto process = cpu_of(pid);
        if (!process) throw Failure(process.error());
        all.push_back(*process);
    }
    return all;
}

Report measure(const Options& options) {
    Report report{options, {}, {}};
    Load load(options);
    load.connect();
    if (options.operation != Operation::put && options.load) load.write_all_keys();
    if (options.warm_up > 0) (void)load.run(options.warm_up);
    auto before = sample(options.pids);
    report.measured = load.run(options.seconds);
    report.cpu = sample(options.pids);
    for (size_t i = 0; i < before.size(); i++) report.cpu[i].seconds -= before[i].seconds;
    return report;
}

}  // namespace

int main(int argc, char** argv) {
    Parsed parsed = parse_options({argv + 1, argv + argc});
    if (!parsed.go_on) {
        std::fputs(parsed.text.c_str(), parsed.exit_code ? stderr : stdout);
        return parsed.exit_code;
    }
    try {
        Report report = measure(parsed.options);
        std::fputs((parsed.options.json ? report_json(report) : report_text(report)).c_str(), stdout);
        bool any = report.measured.puts.done + report.measured.gets.done > 0;
        return std::fflush(stdout) == 0 && any ? 0 : 1;
    } catch (const Failure& failure) {
        std::fprintf(stderr, "assent-bench: %s\n", failure.what());
        return failure.exit_code();
    }
}
