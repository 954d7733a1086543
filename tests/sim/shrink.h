// Makes a failed run smaller, as long as it still fails in the same way: fewer strikes, a shorter time of faults, fewer
// clients. What is left out changes the delays of what remains, so each try has several salts.
#pragma once

#include "apart.h"

namespace assent::sim {

struct Shrunk {
    RunOptions run;  // of the smallest one that was found
    Report report;
    uint32_t tries = 0;
};

// `failed` is what `run` came to. Ends after about `limit_us`.
Shrunk shrink(const RunOptions& run, const Report& failed, int64_t limit_us);

}  // namespace assent::sim
