// What a decoder takes from the heap must be bounded by what came in, not by what the bytes promise. The sanitizer's
// hooks count; libFuzzer's -malloc_limit_mb alone would see single large allocations only.
#pragma once

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/assert.h"

namespace assent::fuzz {

class HeapBound {
  public:
    // protobuf sets up to 50 MB aside for a string that a nested message promises, touches none of it and gives it back
    // when the bytes do not come: such blocks are not counted where it parses.
    enum class Blocks : size_t { all = SIZE_MAX, small = 4u << 10 };

    // Ends the process if this thread ever holds more than `most` bytes beyond what it held here.
    explicit HeapBound(size_t most, Blocks blocks = Blocks::all) : most_(most) {
        [[maybe_unused]] static const int hooks = __sanitizer_install_malloc_and_free_hooks(taken, given_back);
        held_ = peak_ = 0;
        largest_ = size_t(blocks);
        counting_ = true;
    }
    ~HeapBound() {
        counting_ = false;
        ASSENT_ASSERT(size_t(peak_) <= most_);
    }
    HeapBound(const HeapBound&) = delete;
    HeapBound& operator=(const HeapBound&) = delete;

  private:
    static void taken(const volatile void*, size_t size) {
        if (!counting_ || size > largest_) return;
        held_ += std::ptrdiff_t(size);
        peak_ = std::max(peak_, held_);
    }
    static void given_back(const volatile void* p) {
        if (!counting_ || !p) return;
        const size_t size = __sanitizer_get_allocated_size(p);
        if (size <= largest_) held_ -= std::ptrdiff_t(size);
    }

    static inline thread_local bool counting_ = false;
    static inline thread_local size_t largest_ = SIZE_MAX;
    static inline thread_local std::ptrdiff_t held_ = 0;
    static inline thread_local std::ptrdiff_t peak_ = 0;
    size_t most_;
};

}  // namespace assent::fuzz
