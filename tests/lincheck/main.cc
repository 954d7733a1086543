// lincheck [--seconds N] [--megabytes N] FILE...
// Is the history in these files (together: clients may write one each) linearizable? Each line is a JSON object:
//   client      a number, for people
//   op          put, get, del or cas
//   key, value  strings; value is what a put or a cas sets, null: the cas deletes
//   old         of a cas: what it compares with, null: there must be no such key
//   invoked_us, returned_us   of one clock, for all clients; returned_us only counts if it is confirmed
//   outcome     confirmed; cancelled or failed (it never takes effect); unknown (it may at any time, or never)
// and, as far as it was told, if it is confirmed:
//   found       of a get or del: was there such a key? of a cas that did not swap: the same
//   result      of a get, or of a cas that did not swap: the value that was there
//   swapped     of a cas
// Other names are ignored. Exit codes: 0 linearizable, 1 not (says where), 2 a file is wrong, 3 could not tell within
// the limits, 64 usage.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "history_file.h"
#include "lincheck.h"

namespace {

using namespace assent::lincheck;

enum Exit { kLinearizable = 0, kNotLinearizable = 1, kBadFile = 2, kCouldNotTell = 3, kUsage = 64 };

int usage() {
    std::fprintf(stderr, "usage: lincheck [--seconds N] [--megabytes N] FILE...\n");
    return kUsage;
}

int bad_file(const std::string& why) {
    std::fprintf(stderr, "lincheck: %s\n", why.c_str());
    return kBadFile;
}

int report(const History& history, const Limits& limits) {
    const Report r = check(history, limits);
    const std::string what = std::to_string(history.size()) + " operations on " + std::to_string(r.keys) + " keys, " +
                             std::to_string(r.steps) + " steps";
    switch (r.verdict) {
        case Verdict::linearizable: std::printf("linearizable: %s\n", what.c_str()); return kLinearizable;
        case Verdict::not_linearizable:
            std::printf("%snot linearizable: %s\n", r.text.c_str(), what.c_str());
            return kNotLinearizable;
        case Verdict::could_not_tell: break;
    }
    std::printf("could not tell within the limits: %s\n", what.c_str());
    return kCouldNotTell;
}

}  // namespace

int main(int argc, char** argv) {
    Limits limits;
    limits.seconds = 60;
    History history;
    int files = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string arg = argv[i];
        const bool number = arg == "--seconds" || arg == "--megabytes";
        if (number && i + 1 < argc) {
            const double n = std::atof(argv[++i]);
            if (n <= 0) return usage();
            if (arg == "--seconds") limits.seconds = n;
            if (arg == "--megabytes") limits.memory_bytes = uint64_t(n * 1e6);
            continue;
        }
        if (arg.starts_with("-")) return usage();
        std::ifstream in(arg);
        if (!in) return bad_file(arg + ": " + std::strerror(errno));
        if (auto read = read_history(in, arg, history); !read) return bad_file(read.error());
        ++files;
    }
    return files ? report(history, limits) : usage();
}
