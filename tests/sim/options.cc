#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace assent::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kUsualSeeds = 20;
#else
constexpr uint64_t kUsualSeeds = 100;
#endif

bool number(const std::string& word, uint64_t& value) {
    char* end = nullptr;
    value = std::strtoull(word.c_str(), &end, 10);
    return !word.empty() && !*end && word[0] != '-';
}

// Seconds, with up to six decimals.
bool seconds(const std::string& word, int64_t& us) {
    char* end = nullptr;
    double value = std::strtod(word.c_str(), &end);
    us = int64_t(value * 1e6 + 0.5);
    return !word.empty() && !*end && us > 0;
}

bool numbers(const std::string& word, std::vector<uint32_t>& list) {
    list.clear();
    if (word == "none") return true;
    std::istringstream in(word);
    for (std::string part; std::getline(in, part, ',');) {
        uint64_t value = 0;
        if (!number(part, value)) return false;
        list.push_back(uint32_t(value));
    }
    std::sort(list.begin(), list.end());
    return !list.empty();
}

// False: there is no such switch.
bool take_switch(Command& c, const std::string& arg) {
    if (arg == "--trace")
        c.run.trace = true;
    else if (arg == "--attached")
        c.run.attached = true;
    else if (arg == "--keep-going")
        c.keep_going = true;
    else if (arg == "--no-shrink")
        c.shrink = false;
    else if (arg == "--list-mutants")
        c.list_mutants = true;
    else if (arg == "--verbose")
        c.verbose = true;
    else
        return false;
    return true;
}

// False: no such option, or its value makes no sense.
bool take_option(Command& c, const std::string& arg, const std::string& word) {
    uint64_t value = 0;
    if (arg == "--mutant") return c.mutant = word, !word.empty();
    if (arg == "--strikes") return c.run.all_strikes = false, numbers(word, c.run.strikes);
    if (arg == "--seconds") return seconds(word, c.run.faults_us);
    if (!number(word, value)) return false;
    if (arg == "--seed")
        c.run.seed = value, c.seeds = 1;
    else if (arg == "--start")
        c.run.seed = value;
    else if (arg == "--seeds")
        c.seeds = value;
    else if (arg == "--jobs" && value >= 1 && value <= 256)
        c.jobs = uint32_t(value);
    else if (arg == "--nodes" && value >= 1 && value <= 7)
        c.run.nodes = uint32_t(value);
    else if (arg == "--clients" && value >= 1 && value <= 100)
        c.run.clients = uint32_t(value);
    else if (arg == "--salt")
        c.run.salt = value;
    else
        return false;
    return true;
}

}  // namespace

const char* const kUsageText =
    "usage: sim [--seed N | --seeds N --start N] [--jobs N] [--keep-going] [--no-shrink] [--verbose] [--trace]\n"
    "           [--nodes N] [--clients N] [--seconds N] [--strikes N,N… | none] [--salt N] [--attached] [--mutant "
    "NAME]\n       sim --list-mutants\n";

std::optional<Command> parse_command(int argc, char** argv) {
    Command c;
    for (int i = 1; i < argc; ++i) {
        std::string arg = argv[i];
        if (take_switch(c, arg)) continue;
        if (i + 1 >= argc || !take_option(c, arg, argv[++i])) return std::nullopt;
    }
    if (!c.seeds) c.seeds = kUsualSeeds;
    return c;
}

std::string replay_command(const Command& command, const RunOptions& run) {
    std::ostringstream out;
    out << "tests/sim/sim --seed " << run.seed;
    if (run.nodes) out << " --nodes " << run.nodes;
    if (run.attached) out << " --attached";
    if (!command.mutant.empty()) out << " --mutant " << command.mutant;
    if (run.faults_us) {
        char text[32];
        std::snprintf(text, sizeof text, "%.6f", double(run.faults_us) / 1e6);
        out << " --seconds " << text;
    }
    if (run.clients) out << " --clients " << run.clients;
    if (run.salt) out << " --salt " << run.salt;
    if (!run.all_strikes) {
        out << " --strikes " << (run.strikes.empty() ? "none" : "");
        for (size_t i = 0; i < run.strikes.size(); ++i) out << (i ? "," : "") << run.strikes[i];
    }
    return out.str();
}

}  // namespace assent::sim
