// Runs in processes of their own, so that one that crashes or hangs is a result like any other.
#pragma once

#include <functional>
#include <string>

#include "run.h"

namespace assent::sim {

// What a run came to, or the process that did it.
enum class Outcome : uint8_t { fine, safety, liveness, crash, different };
const char* name(Outcome outcome);
// Of the program: 0 fine, 2 safety, 3 liveness, 4 crash, 5 not the same the second time.
int exit_code(Outcome outcome);

struct Report {
    uint64_t seed = 0;
    Outcome outcome = Outcome::fine;
    std::string what;   // for a person; empty if all is well
    std::string lines;  // the last ones of the run
    Counts counts;
    RareCounts rare;
    std::vector<uint32_t> struck;
    int64_t faults_us = 0;
    uint32_t clients = 0;
    uint32_t nodes = 0;
};

// In this process. `twice`: also compares with a second run.
Report run_here(const RunOptions& options, bool twice);

// A process that does one run after the other.
class Worker {
  public:
    using Next = std::function<std::optional<uint64_t>(uint64_t)>;

    // Runs `first`, then every seed that `next` names after the one before, until it names none. 5 % are run twice.
    Worker(const RunOptions& first, Next next, bool quiet);
    ~Worker();  // ends the process
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    int fd() const { return fd_; }
    // The seed it is at, as far as has been read.
    uint64_t seed() const { return options_.seed; }
    // Waits for something to read. Adds to `reports`; false: it is at its end, and if that was a crash, it is the last report.
    bool read(std::vector<Report>& reports);

  private:
    [[noreturn]] void work(int to);
    Report crashed();

    RunOptions options_;
    Next next_;
    bool done_ = false;  // all of its seeds have been reported
    int pid_ = -1;
    int fd_ = -1;
    std::string input_;
};

// One run, without a word on stderr; counts as fine if it takes longer than that.
Report run_apart(const RunOptions& options, int64_t limit_us);

// From now on a crash of this process writes down the last lines of its run, and a run that takes very long is one.
void watch_this_process();

}  // namespace assent::sim
