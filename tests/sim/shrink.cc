#include "shrink.h"

#include <algorithm>
#include <ctime>
#include <numeric>

namespace assent::sim {
namespace {

constexpr uint64_t kSalts = 3;
constexpr size_t kStrikesAtMost = 512;

int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

// "I4" of "I4: node 2 …": the rule that was broken.
std::string rule(const std::string& what) { return what.substr(0, what.find_first_of(" :")); }

class Shrinker {
  public:
    Shrinker(const RunOptions& run, const Report& failed, int64_t limit_us)
        : until_us_(now_us() + limit_us), best_{run, failed, 0} {
        best_.run.trace = false;
    }

    Shrunk go() {
        name_everything();
        for (size_t before = 0; before != size() && !late();) {
            before = size();
            fewer_strikes();
            shorter();
            fewer_clients();
        }
        if (best_.report.clients) best_.run.strikes = best_.report.struck;  // no others came to be
        return best_;
    }

  private:
    bool late() const { return now_us() >= until_us_; }
    size_t size() const { return best_.run.strikes.size() + best_.run.clients; }

    // From here on every strike is named. A crash tells nothing of its run, so what was drawn at most is named then.
    void name_everything() {
        RunOptions run = best_.run;
        run.all_strikes = false;
        if (best_.report.clients) {
            run.strikes = best_.report.struck;
            run.faults_us = best_.report.faults_us;
            run.clients = best_.report.clients;
        } else if (best_.run.all_strikes) {
            run.strikes.resize(kStrikesAtMost);
            std::iota(run.strikes.begin(), run.strikes.end(), 1);
        }
        if (fails(run)) return;
        best_.run.all_strikes = false;
        best_.run.strikes = run.strikes;
    }

    bool same(const Report& r) const {
        if (r.outcome != best_.report.outcome) return false;
        return r.outcome != Outcome::safety || rule(r.what) == rule(best_.report.what);
    }

    // Takes it over if so.
    bool fails(RunOptions run) {
        uint64_t first = run.salt;
        for (uint64_t salt = 0; salt < kSalts && !late(); ++salt) {
            run.salt = first + salt;
            ++best_.tries;
            Report r = run_apart(run, until_us_ - now_us());
            if (!same(r)) continue;
            best_.run = run;
            best_.report = std::move(r);
            return true;
        }
        return false;
    }

    // Delta debugging: leaves out one part of n, n growing until a part is one strike.
    void fewer_strikes() {
        size_t parts = 2;
        while (!best_.run.strikes.empty() && !late()) {
            size_t count = best_.run.strikes.size();
            parts = std::min(parts, count);
            bool smaller = false;
            for (size_t part = parts; part > 0 && !smaller && !late(); --part) {  // the last ones first
                RunOptions run = best_.run;
                auto at = run.strikes.begin();
                run.strikes.erase(at + long(count * (part - 1) / parts), at + long(count * part / parts));
                smaller = fails(run);
            }
            if (smaller) {
                parts = std::max<size_t>(2, parts - 1);
            } else if (parts == count) {
                return;
            } else {
                parts = std::min(count, parts * 2);
            }
        }
    }

    void shorter() {
        for (int64_t us = best_.run.faults_us / 2; us >= 100'000 && !late(); us /= 2) {
            RunOptions run = best_.run;
            run.faults_us = us;
            if (!fails(run)) return;
        }
    }

    void fewer_clients() {
        while (best_.run.clients > 1 && !late()) {
            RunOptions run = best_.run;
            run.clients /= 2;
            if (!fails(run)) return;
        }
    }

    const int64_t until_us_;
    Shrunk best_;
};

}  // namespace

Shrunk shrink(const RunOptions& run, const Report& failed, int64_t limit_us) {
    return Shrinker(run, failed, limit_us).go();
}

}  // namespace assent::sim
