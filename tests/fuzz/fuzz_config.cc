// Any text as a corosync.conf, and what it gives as a configuration: refused with a Failure or accepted, within bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/failure.h"
#include "daemon/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const auto section = assent::parse_corosync_conf(std::string(reinterpret_cast<const char*>(data), size));
        const assent::DaemonConfig config = assent::parse_config(section);
        if (config.groups.empty() || config.port == 0 || config.master_timeout_ms <= config.lease_ms) std::abort();
    } catch (const assent::Failure& failure) {
        if (failure.exit_code() != 78 || std::string(failure.what()).size() > 8192) std::abort();
    }
    return 0;
}
