// sim [--seed N | --seeds N [--start N]] [--nodes N] [--seconds N] [--attached] [--keep-going] [--trace]
// Without a seed: the first 100, with a sanitizer (some fifteen times slower) the first 20.
// Exit codes: 0 all is well, 2 something that must never be, 3 something that did not come about, 4 a crash,
// 5 a run that was not the same the second time, 64 usage.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include "run.h"

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kUsualSeeds = 20;
#else
constexpr uint64_t kUsualSeeds = 100;
#endif

using assent::sim::Kind;
using assent::sim::RunOptions;
using assent::sim::RunResult;

constexpr int kSafety = 2;
constexpr int kLiveness = 3;
constexpr int kCrash = 4;
constexpr int kDifferent = 5;
constexpr int kUsage = 64;

char crash_line[128];

void on_crash(int) {
    ssize_t ignored = write(STDERR_FILENO, crash_line, std::strlen(crash_line));
    (void)ignored;
    _exit(kCrash);
}

struct Totals {
    uint64_t runs = 0, steps = 0, decided = 0, confirmed = 0, cancelled = 0, unknown = 0, reads = 0;
    int64_t simulated_us = 0;
};

void add(Totals& t, const RunResult& r) {
    ++t.runs;
    t.steps += r.steps;
    t.decided += r.decided;
    t.confirmed += r.confirmed;
    t.cancelled += r.cancelled;
    t.unknown += r.unknown;
    t.reads += r.reads;
    t.simulated_us += r.simulated_us;
}

int report(const RunOptions& o, const RunResult& r) {
    if (r.failure == Kind::none) return 0;
    for (const std::string& line : r.lines) std::printf("  %s\n", line.c_str());
    std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(o.seed),
                r.failure == Kind::safety ? "SAFETY" : "LIVENESS", r.what.c_str());
    return r.failure == Kind::safety ? kSafety : kLiveness;
}

int usage() {
    std::fprintf(stderr,
                 "usage: sim [--seed N | --seeds N [--start N]] [--nodes N] [--seconds N] [--attached] [--keep-going] "
                 "[--trace]\n");
    return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
    RunOptions options;
    uint64_t seeds = 0;
    bool one = false;
    bool keep_going = false;
    for (int i = 1; i < argc; ++i) {
        std::string arg = argv[i];
        bool valued = arg == "--seed" || arg == "--start" || arg == "--seeds" || arg == "--nodes" || arg == "--seconds";
        uint64_t value = 0;
        if (valued) {
            char* end = nullptr;
            if (i + 1 < argc) value = std::strtoull(argv[++i], &end, 10);
            if (!end || *end) return usage();
        }
        if (arg == "--seed" || arg == "--start")
            options.seed = value, one |= arg == "--seed";
        else if (arg == "--seeds")
            seeds = value;
        else if (arg == "--nodes" && value <= 7)
            options.nodes = uint32_t(value);
        else if (arg == "--seconds")
            options.faults_us = int64_t(value) * 1'000'000;
        else if (arg == "--trace")
            options.trace = true;
        else if (arg == "--attached")
            options.attached = true;
        else if (arg == "--keep-going")
            keep_going = true;
        else
            return usage();
    }
    for (int signal_number : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) std::signal(signal_number, on_crash);
    if (!seeds) seeds = one ? 1 : kUsualSeeds;
    Totals totals;
    int worst = 0;
    uint64_t first = options.seed;
    for (uint64_t n = 0; n < seeds; ++n) {
        options.seed = first + n;
        std::snprintf(crash_line, sizeof crash_line, "seed %llu: CRASH\n",
                      static_cast<unsigned long long>(options.seed));
        RunResult result = run_once(options);
        add(totals, result);
        int code = report(options, result);
        if (!code && options.seed % 20 == 0 && run_once(options).digest != result.digest) {  // 5 % are done twice
            std::printf("seed %llu: the second run was another one\n", static_cast<unsigned long long>(options.seed));
            code = kDifferent;
        }
        if (code && (!worst || code < worst)) worst = code;
        if (code && !keep_going) break;
    }
    std::printf(
        "%llu runs, %.0f s simulated, %llu steps, %llu entries decided; clients: %llu writes confirmed, "
        "%llu cancelled, %llu unknown, %llu reads\n",
        static_cast<unsigned long long>(totals.runs), double(totals.simulated_us) / 1e6,
        static_cast<unsigned long long>(totals.steps), static_cast<unsigned long long>(totals.decided),
        static_cast<unsigned long long>(totals.confirmed), static_cast<unsigned long long>(totals.cancelled),
        static_cast<unsigned long long>(totals.unknown), static_cast<unsigned long long>(totals.reads));
    return worst;
}
