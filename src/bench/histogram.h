// A log-linear histogram as HdrHistogram's: a fixed size, and every value kept to better than 1 %.
#pragma once

#include <cstdint>
#include <vector>

namespace assent::bench {

class Histogram {
  public:
    Histogram();

    // Any unit; what is above 2^47 counts as 2^47.
    void record(uint64_t value);
    void add(const Histogram& other);

    uint64_t count() const { return count_; }
    uint64_t max() const { return max_; }
    double mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }
    // The smallest recorded value (to better than 1 %) that `percent` of all do not exceed; 0 if there are none.
    uint64_t percentile(double percent) const;

  private:
    std::vector<uint64_t> buckets_;
    uint64_t count_ = 0;
    uint64_t max_ = 0;
    double sum_ = 0;
};

}  // namespace assent::bench
