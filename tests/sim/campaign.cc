#include "campaign.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include <poll.h>
#include <unistd.h>

#include "apart.h"
#include "shrink.h"
#include "version.h"

namespace assent::sim {
namespace {

constexpr int64_t kShrinkUs = 20'000'000;
constexpr uint32_t kShrunkAtMost = 5;
constexpr int64_t kProgressUs = 2'000'000;       // on a terminal
constexpr int64_t kProgressLineUs = 30'000'000;  // elsewhere

int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

unsigned long long wide(uint64_t n) { return n; }

// Of the sources, as the Makefile says; else the version.
const char* commit() {
    const char* told = std::getenv("ASSENT_COMMIT");
    return told && *told ? told : "version " ASSENT_VERSION;
}

class Campaign {
  public:
    explicit Campaign(const Command& command)
        : command_(command), end_(command.run.seed + command.seeds), terminal_(isatty(STDERR_FILENO)) {}

    int go() {
        uint32_t jobs = uint32_t(std::min<uint64_t>(command_.jobs, command_.seeds));
        for (uint32_t j = 0; j < jobs; ++j) begin(command_.run.seed + j);
        while (!workers_.empty() && !stop_) wait();
        workers_.clear();
        if (told_progress_ && terminal_) std::fprintf(stderr, "\r\033[K");
        totals();
        return exit_code(worst_);
    }

  private:
    // Seeds are dealt out like cards.
    std::optional<uint64_t> after(uint64_t seed) const {
        uint64_t n = seed + command_.jobs;
        return n < end_ ? std::optional(n) : std::nullopt;
    }

    void begin(uint64_t seed) {
        RunOptions run = command_.run;
        run.seed = seed;
        workers_.push_back(std::make_unique<Worker>(
            run, [this](uint64_t s) { return after(s); }, false));
    }

    void wait() {
        std::vector<pollfd> fds;
        for (const auto& w : workers_) fds.push_back({w->fd(), POLLIN, 0});
        poll(fds.data(), fds.size(), 1'000);
        for (size_t i = fds.size(); i-- > 0 && !stop_;) {
            if (fds[i].revents) read(i);
        }
        progress();
    }

    void read(size_t worker) {
        std::vector<Report> reports;
        bool more = workers_[worker]->read(reports);
        for (const Report& r : reports) {
            take(r);
            if (stop_) return;
        }
        if (more) return;
        workers_.erase(workers_.begin() + long(worker));
        bool crashed = !reports.empty() && reports.back().outcome == Outcome::crash;
        if (!crashed) return;
        if (auto seed = after(reports.back().seed)) begin(*seed);
    }

    void take(const Report& r) {
        counts_.add(r.counts);
        for (const auto& [name, count] : r.rare) {
            rare_[name].asked += count.asked;
            rare_[name].taken += count.taken;
        }
        if (r.outcome == Outcome::fine) return;
        ++failures_;
        if (worst_ == Outcome::fine || r.outcome < worst_) worst_ = r.outcome;
        tell(r);
        stop_ = !command_.keep_going;
    }

    void tell(const Report& r) {
        if (told_progress_ && terminal_) std::fprintf(stderr, "\r\033[K");
        RunOptions run = command_.run;
        run.seed = r.seed;
        std::printf("%sseed %llu: %s: %s\n", r.lines.c_str(), wide(r.seed), name(r.outcome), r.what.c_str());
        std::printf("commit: %s\nagain:  %s --trace\n", commit(), replay_command(command_, run).c_str());
        std::fflush(stdout);
        bool can_shrink = r.outcome != Outcome::different && command_.shrink && failures_ <= kShrunkAtMost;
        if (can_shrink) tell_smaller(run, r);
    }

    void tell_smaller(const RunOptions& run, const Report& r) {
        Shrunk small = shrink(run, r, kShrinkUs);
        const std::vector<uint32_t>& struck = small.run.strikes;
        std::printf("the smallest run found that fails alike, in %u tries: %zu strikes\n", small.tries, struck.size());
        uint32_t nodes = small.report.nodes;  // 0: it crashed, and nobody knows
        for (const Strike& s : nodes ? draw_strikes(run.seed, nodes, small.run.faults_us) : std::vector<Strike>()) {
            if (!std::binary_search(struck.begin(), struck.end(), s.number)) continue;
            std::printf("  strike %u at %.6f s: %s, node %u\n", s.number, double(s.at_us) / 1e6, name(s.kind),
                        s.node.value);
        }
        std::printf("  %s: %s\nsmaller: %s --trace\n", name(small.report.outcome), small.report.what.c_str(),
                    replay_command(command_, small.run).c_str());
        std::fflush(stdout);
    }

    void progress() {
        int64_t since = now_us() - told_us_;
        if (since < (terminal_ ? kProgressUs : kProgressLineUs)) return;
        told_us_ = now_us();
        told_progress_ = true;
        std::fprintf(stderr, "%s%llu of %llu runs, %llu failed, %llu operations%s", terminal_ ? "\r\033[K" : "",
                     wide(counts_.runs), wide(command_.seeds), wide(failures_), wide(counts_.operations()),
                     terminal_ ? "" : "\n");
    }

    void totals() const {
        const Counts& c = counts_;
        double cpu = std::max(double(c.cpu_us), 1.0) / 1e6;
        double days = double(c.simulated_us) / 1e6 / 86'400;
        if (command_.verbose) details();
        std::printf(
            "%llu runs, %llu failed, %.0f s simulated, %llu steps, %llu entries decided; clients: %llu operations: "
            "%llu writes confirmed, %llu cancelled, %llu unknown, %llu reads; %.0f operations a second of CPU, %.2f "
            "simulated days an hour of CPU\n",
            wide(c.runs), wide(failures_), double(c.simulated_us) / 1e6, wide(c.steps), wide(c.decided),
            wide(c.operations()), wide(c.confirmed), wide(c.cancelled), wide(c.unknown), wide(c.reads),
            double(c.operations()) / cpu, days / (cpu / 3'600));
    }

    void details() const {
        for (size_t kind = 0; kind < kStrikeKinds; ++kind) {
            std::printf("strike %-20s %12llu\n", name(StrikeKind(kind)), wide(counts_.strikes[kind]));
        }
        for (const auto& [name, count] : rare_) {
            std::printf("rare   %-30s taken %10llu times of %12llu\n", name.c_str(), wide(count.taken),
                        wide(count.asked));
        }
    }

    const Command command_;
    const uint64_t end_;
    const bool terminal_;
    std::vector<std::unique_ptr<Worker>> workers_;
    Counts counts_;
    RareCounts rare_;
    uint64_t failures_ = 0;
    Outcome worst_ = Outcome::fine;
    bool stop_ = false;
    bool told_progress_ = false;
    int64_t told_us_ = now_us();
};

}  // namespace

int run_campaign(const Command& command) { return Campaign(command).go(); }

}  // namespace assent::sim
