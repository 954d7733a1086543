// Any text as a corosync.conf, and what it gives as a configuration: refused with a Failure or accepted, within bounds.
#include <cstddef>
#include <cstdint>

#include "core/assert.h"
#include "daemon/config.h"
#include "base/failure.h"
#include "fuzz/heap_bound.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace assent;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const fuzz::HeapBound bound((64u << 10) + 512 * size);
    try {
        const DaemonConfig config = parse_config(parse_corosync_conf(text));
        ASSENT_ASSERT(!config.groups.empty() && config.port != 0 && config.master_timeout_ms > config.lease_ms);
    } catch (const Failure& failure) {
        ASSENT_ASSERT(failure.exit_code() == 78 && std::string(failure.what()).size() <= 8192);
    }
    return 0;
}
