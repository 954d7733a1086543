// What the test and the shim share: a file that both map. assentcluster/shim.py writes it, with the same layout.
#pragma once

#include <atomic>
#include <cstdint>

namespace assent::shim {

enum Sync : uint32_t { sync_honest = 0, sync_fails = 1, sync_lies = 2 };

struct Control {
    uint32_t sync;           // Sync
    uint32_t sync_delay_us;  // each sync takes so much longer
    uint32_t write_error;    // errno of every write; 0: they work
    int32_t rate_ppm;        // the host's clocks run so much faster
    // Where the two clocks of the protocol were, and what they said, when the rate was last changed. An odd number: it
    // is being changed.
    std::atomic<uint32_t> version;
    uint32_t unused;
    int64_t raw_from_ns, raw_said_ns;
    int64_t boot_from_ns, boot_said_ns;
    int64_t wall_offset_ns;
};
static_assert(sizeof(Control) == 64);

// One write that is not synced yet, in the file that is named by the inode's number: what was there before. Followed by
// `size` old bytes of offset `offset`.
struct Undo {
    uint64_t offset;
    uint64_t old_file_size;
    uint64_t size;
};

}  // namespace assent::shim
