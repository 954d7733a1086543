#include "base/clock.h"

#include <algorithm>
#include <ctime>

namespace assent {

namespace {

int64_t read_us(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

// NTP slews CLOCK_MONOTONIC and CLOCK_BOOTTIME alike, so their difference is the time in suspend. Read between two
// readings of the other, close together: then it is right within their distance.
int64_t suspended_us() {
    constexpr int kTries = 8;
    constexpr int64_t kCloseUs = 20;
    int64_t best = 0;
    int64_t best_distance = INT64_MAX;
    for (int n = 0; n < kTries && best_distance > kCloseUs; ++n) {
        int64_t before = read_us(CLOCK_MONOTONIC);
        int64_t boot = read_us(CLOCK_BOOTTIME);
        int64_t after = read_us(CLOCK_MONOTONIC);
        if (after - before >= best_distance) continue;
        best_distance = after - before;
        best = boot - after;
    }
    return std::max<int64_t>(0, best);
}

}  // namespace

Now clock_now() {
    int64_t suspended = suspended_us();
    return {read_us(CLOCK_MONOTONIC_RAW), suspended};
}

int64_t raw_now_us() { return read_us(CLOCK_MONOTONIC_RAW); }

int64_t wall_now_ms() { return read_us(CLOCK_REALTIME) / 1000; }

}  // namespace assent
