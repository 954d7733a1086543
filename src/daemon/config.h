// What the section "assent" of corosync.conf says, checked. The only place that knows the keys, defaults and ranges.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace assent {

// Built in, or a process of its own that attaches.
enum class ApplicationKind : uint8_t { kv, attached };

// Who sends acks over what: TCP with CPG where there is no link, or always CPG.
enum class AckPath : uint8_t { automatic, cpg };

struct GroupConfig {
    std::string name;
    ApplicationKind application = ApplicationKind::kv;
    std::string user;              // whose process may attach as the application; empty: the daemon's
    uint32_t priority = 0;         // greater goes first among candidates as complete
    uint32_t digest_every = 4096;  // entries between two comparisons of what attached applications have; 0: none
    bool operator==(const GroupConfig&) const = default;
};

struct DaemonConfig {
    std::vector<GroupConfig> groups;
    uint16_t port = 5407;
    std::string listen;        // an IP address; empty: this node's in the nodelist
    uint16_t client_port = 0;  // 0: no remote clients
    int64_t lease_ms = 300;    // 0: every read takes a round
    int64_t heartbeat_ms = 100;
    int64_t master_timeout_ms = 1000;
    int64_t request_timeout_ms = 5000;
    uint64_t max_write_bytes = 1u << 20;
    uint64_t ledger_segment_bytes = 64u << 20;
    uint64_t ledger_retain_bytes = 256u << 20;
    uint64_t ledger_quota_bytes = uint64_t(8) << 30;
    AckPath ack_path = AckPath::automatic;
    std::vector<std::string> warnings;  // for the log: what was read but has no effect
    bool operator==(const DaemonConfig&) const = default;
};

// `section`: the keys below "assent." without that prefix; empty gives the defaults, with one group, kv.
// Throws Failure with exit code 78 and every problem found: an unknown key, a value out of range, values that
// contradict each other.
DaemonConfig parse_config(const std::map<std::string, std::string>& section);

// The section "assent" from the text of a corosync.conf, by corosync's own rules of syntax, for when corosync does not
// run. Throws Failure with exit code 78 and the number of the line.
std::map<std::string, std::string> parse_corosync_conf(const std::string& text);

}  // namespace assent
