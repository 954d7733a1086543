// The clocks of the protocol (R8). CLOCK_MONOTONIC_RAW is not slewed by NTP, and stands still in a suspend;
// CLOCK_BOOTTIME less CLOCK_MONOTONIC is the time spent in one.
#pragma once

#include <cstdint>

#include "core/types.h"

namespace assent {

// Read after one another, the time in suspend first. Any thread.
Now clock_now();

// CLOCK_MONOTONIC_RAW in microseconds. Any thread.
int64_t raw_now_us();

// The wall clock in milliseconds since 1970: for people and status keys, never for a decision. Any thread.
int64_t wall_now_ms();

}  // namespace assent
