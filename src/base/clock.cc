#include "base/clock.h"

#include <ctime>

namespace assent {

namespace {

int64_t read_us(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

}  // namespace

Now clock_now() { return {read_us(CLOCK_MONOTONIC_RAW), read_us(CLOCK_BOOTTIME)}; }

int64_t raw_now_us() { return read_us(CLOCK_MONOTONIC_RAW); }

int64_t wall_now_ms() { return read_us(CLOCK_REALTIME) / 1000; }

}  // namespace assent
