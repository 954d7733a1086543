// The simulator's runner: strikes as data, runs apart, shrinking, the command line.
#include <gtest/gtest.h>

#include "../sim/apart.h"
#include "../sim/options.h"
#include "../sim/shrink.h"
#include "core/planted.h"

namespace assent::sim {
namespace {

constexpr int64_t kPatienceUs = 300'000'000;

// A wrong rule for as long as it lives.
class Mutant {
  public:
    explicit Mutant(const char* name) { planted::mutant = planted::id(name); }
    ~Mutant() { planted::mutant = 0; }
};

// A small run in which both kinds that the simulator's own mutants wait for are struck.
RunOptions run_with_both() {
    RunOptions run;
    run.nodes = 3;
    run.clients = 2;
    run.faults_us = 5'000'000;
    for (;; ++run.seed) {
        bool kill = false;
        bool slow = false;
        for (const Strike& s : draw_strikes(run.seed, run.nodes, run.faults_us)) {
            kill |= s.kind == StrikeKind::kill;
            slow |= s.kind == StrikeKind::slow_disk;
        }
        if (kill && slow) return run;
    }
}

std::optional<Command> parse(std::vector<std::string> words) {
    words.insert(words.begin(), "sim");
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    return parse_command(int(argv.size()), argv.data());
}

TEST(SimStrikes, AllKindsOccurInTwoHundredSeeds) {
    StrikeCounts counts{};
    for (uint64_t seed = 1; seed <= 200; ++seed) {
        for (const Strike& s : draw_strikes(seed, 3, 10'000'000)) ++counts[size_t(s.kind)];
    }
    for (size_t kind = 0; kind < kStrikeKinds; ++kind) EXPECT_GT(counts[kind], 10u) << name(StrikeKind(kind));
}

TEST(SimStrikes, AShorterTimeHasTheSameOnes) {
    std::vector<Strike> all = draw_strikes(7, 5, 20'000'000);
    std::vector<Strike> some = draw_strikes(7, 5, 10'000'000);
    ASSERT_LT(some.size(), all.size());
    for (size_t i = 0; i < some.size(); ++i) {
        EXPECT_EQ(some[i].at_us, all[i].at_us);
        EXPECT_EQ(some[i].kind, all[i].kind);
        EXPECT_EQ(some[i].seed, all[i].seed);
    }
}

TEST(SimApart, ACrashIsAResult) {
    Mutant mutant("self_crash");
    Report r = run_apart(run_with_both(), kPatienceUs);
    EXPECT_EQ(r.outcome, Outcome::crash);
    EXPECT_EQ(exit_code(r.outcome), 4);
}

TEST(SimApart, ARunIsTheSameInAnotherProcess) {
    RunOptions run = run_with_both();
    Report here = run_here(run, true);
    Report there = run_apart(run, kPatienceUs);
    EXPECT_EQ(here.outcome, Outcome::fine) << here.what;
    EXPECT_EQ(here.counts.steps, there.counts.steps);
    EXPECT_EQ(here.counts.simulated_us, there.counts.simulated_us);
    EXPECT_EQ(here.struck, there.struck);
}

TEST(SimApart, ARunThatIsNotRepeatedIsToldApart) {
    Mutant mutant("self_different");
    EXPECT_EQ(run_here(run_with_both(), true).outcome, Outcome::different);
}

TEST(SimShrink, FindsTheTwoStrikesThatTogetherFail) {
    Mutant mutant("self_two_strikes");
    RunOptions run = run_with_both();
    Report failed = run_apart(run, kPatienceUs);
    ASSERT_EQ(failed.outcome, Outcome::safety);
    Shrunk small = shrink(run, failed, kPatienceUs);
    ASSERT_EQ(small.run.strikes.size(), 2u);
    std::set<StrikeKind> kinds;
    for (const Strike& s : draw_strikes(run.seed, run.nodes, run.faults_us)) {
        if (s.number == small.run.strikes[0] || s.number == small.run.strikes[1]) kinds.insert(s.kind);
    }
    EXPECT_EQ(kinds, (std::set{StrikeKind::kill, StrikeKind::slow_disk}));
    EXPECT_EQ(run_apart(small.run, kPatienceUs).outcome, Outcome::safety);
}

TEST(SimOptions, TheReplayCommandMeansTheSameRun) {
    Command c = parse({"--seed", "12", "--mutant", "some"}).value();
    RunOptions run = c.run;
    run.strikes = {3, 7};
    run.all_strikes = false;
    run.faults_us = 1'250'001;
    run.clients = 2;
    run.salt = 1;
    std::string line = replay_command(c, run);
    EXPECT_EQ(line, "tests/sim/sim --seed 12 --mutant some --seconds 1.250001 --clients 2 --salt 1 --strikes 3,7");
    Command again = parse({"--seed", "12", "--mutant", "some", "--seconds", "1.250001", "--clients", "2", "--salt", "1",
                           "--strikes", "7,3"})
                        .value();
    EXPECT_EQ(again.run.faults_us, run.faults_us);
    EXPECT_EQ(again.run.strikes, run.strikes);
    EXPECT_FALSE(again.run.all_strikes);
}

TEST(SimOptions, NonsenseIsRefused) {
    EXPECT_FALSE(parse({"--nodes", "8"}));
    EXPECT_FALSE(parse({"--jobs", "0"}));
    EXPECT_FALSE(parse({"--seed"}));
    EXPECT_FALSE(parse({"--seed", "x"}));
    EXPECT_FALSE(parse({"--strikes", "1,,2"}));
    EXPECT_FALSE(parse({"--seconds", "0"}));
    EXPECT_FALSE(parse({"--what"}));
}

}  // namespace
}  // namespace assent::sim
