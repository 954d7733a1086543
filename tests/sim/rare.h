// Whether a place marked ASSENT_RARELY is taken: each gets its own probability in each run, mostly none.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "random.h"

namespace assent::sim {

struct RareCount {
    uint64_t asked = 0;
    uint64_t taken = 0;
};
using RareCounts = std::map<std::string, RareCount>;

// Answers the marks while it lives; one at a time.
class Rare {
  public:
    explicit Rare(uint64_t seed);
    ~Rare();
    Rare(const Rare&) = delete;
    Rare& operator=(const Rare&) = delete;

    RareCounts counts() const;
    // While it is on, small writes that do not fill their page are as likely as others.
    static void small_writes(bool on);

  private:
    struct Place {
        const char* name = nullptr;
        uint64_t permille = 0;
        RareCount count;
    };
    bool take(uint64_t id, const char* name);

    uint64_t seed_;
    Random random_;
    std::map<uint64_t, Place> places_;
    bool small_writes_ = false;
};

}  // namespace assent::sim
