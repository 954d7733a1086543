// One seeded stream of numbers, the same on every machine and library (unlike the standard distributions).
#pragma once

#include <cstdint>

namespace assent::sim {

// A delay between two bounds, in microseconds.
struct Span {
    int64_t min_us = 0;
    int64_t max_us = 0;
};

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

    uint64_t next() {  // splitmix64
        uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    // 0 … n-1; n above 0.
    uint64_t below(uint64_t n) { return next() % n; }
    int64_t between(int64_t low, int64_t high) { return low + static_cast<int64_t>(below(uint64_t(high - low) + 1)); }
    int64_t pick(Span span) { return span.min_us == span.max_us ? span.min_us : between(span.min_us, span.max_us); }
    bool permille(uint64_t chance) { return chance != 0 && below(1000) < chance; }
    bool one_in(uint64_t n) { return below(n) == 0; }

  private:
    uint64_t state_;
};

}  // namespace assent::sim
