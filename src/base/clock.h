// The two clocks of the protocol (R8). CLOCK_MONOTONIC_RAW is not slewed by NTP; CLOCK_BOOTTIME goes on through a
// suspend.
#pragma once

#include <cstdint>

#include "core/types.h"

namespace assent {

// Both clocks, read one after the other. Any thread.
Now clock_now();

// CLOCK_MONOTONIC_RAW in microseconds. Any thread.
int64_t raw_now_us();

// The wall clock in milliseconds since 1970: for people and status keys, never for a decision. Any thread.
int64_t wall_now_ms();

}  // namespace assent
