#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace assent::bench {
namespace {

constexpr unsigned kSubBits = 7;  // each power of two is divided into 128
constexpr uint64_t kSub = uint64_t{1} << kSubBits;
constexpr unsigned kMaxBits = 47;
constexpr uint64_t kMax = uint64_t{1} << kMaxBits;

// Below 128 a bucket a value; from there on 128 buckets for each power of two.
size_t bucket_of(uint64_t value) {
    if (value < kSub) return value;
    unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
    return (shift + 1) * kSub + (value >> shift) - kSub;
}

// The largest value of the bucket.
uint64_t top_of(size_t bucket) {
    if (bucket < kSub) return bucket;
    unsigned shift = static_cast<unsigned>(bucket / kSub) - 1;
    return ((bucket % kSub + kSub + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(kMax) + 1) {}

void Histogram::record(uint64_t value) {
    value = std::min(value, kMax);
    buckets_[bucket_of(value)]++;
    count_++;
    max_ = std::max(max_, value);
    sum_ += static_cast<double>(value);
}

void Histogram::add(const Histogram& other) {
    for (size_t i = 0; i < buckets_.size(); i++) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
}

uint64_t Histogram::percentile(double percent) const {
    auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
    wanted = std::max<uint64_t>(wanted, 1);
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size() && count_ > 0; i++) {
        seen += buckets_[i];
        if (seen >= wanted) return std::min(top_of(i), max_);
    }
    return max_;
}

}  // namespace assent::bench
