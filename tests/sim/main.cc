// sim: whole clusters of the real core on virtual time. doc/TESTING.md tells how it works and what its options mean.
// Exit codes: 0 all is well, 2 something that must never be, 3 something that did not come about, 4 a crash,
// 5 a run that was not the same the second time, 64 usage.
#include <cstdio>
#include <exception>

#include "apart.h"
#include "campaign.h"
#include "mutants.h"

namespace assent::sim {
namespace {

constexpr int kUsage = 64;
constexpr int kNoProcess = 71;

// A line each, for tools/mutants: name, rule, marks, what is wrong.
int list_mutants() {
    for (const Mutant& m : mutants()) {
        std::printf("%s\t%s\t%s%s\t%s\n", m.name, m.rule, m.attached ? "attached " : "", m.rare ? "rare" : "", m.wrong);
    }
    return 0;
}

// In this very process, for a debugger.
int trace_one(const RunOptions& run) {
    watch_this_process();
    Report r = run_here(run, false);
    if (r.outcome != Outcome::fine) {
        std::printf("seed %llu: %s: %s\n", static_cast<unsigned long long>(r.seed), name(r.outcome), r.what.c_str());
    }
    return exit_code(r.outcome);
}

}  // namespace
}  // namespace assent::sim

int main(int argc, char** argv) {
    using namespace assent;
    auto command = sim::parse_command(argc, argv);
    if (!command) {
        std::fputs(sim::kUsageText, stderr);
        return sim::kUsage;
    }
    if (command->list_mutants) return sim::list_mutants();
    if (!command->mutant.empty() && !sim::plant(command->mutant)) {
        std::fprintf(stderr, "sim: there is no mutant %s\n", command->mutant.c_str());
        return sim::kUsage;
    }
    try {
        if (command->run.trace && command->seeds == 1) return sim::trace_one(command->run);
        command->run.trace = false;
        return sim::run_campaign(*command);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "sim: %s\n", e.what());
        return sim::kNoProcess;
    }
}
