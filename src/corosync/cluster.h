// What corosync tells about the cluster.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/types.h"

namespace assent {

// A node of corosync.conf's nodelist, member or not.
struct Node {
    NodeId id;
    std::string name;                    // may be empty
    std::vector<std::string> addresses;  // ring0_addr first; numeric, if they could be resolved
    uint32_t votes = 1;                  // votequorum's; for a node it has never seen, the configuration's
    bool operator==(const Node&) const = default;
};

struct Cluster {
    std::string name;         // totem.cluster_name
    NodeId local;             // 0: this host is not in the nodelist
    std::vector<Node> nodes;  // sorted by id
    bool operator==(const Cluster&) const = default;
};

// The keys of one section with their values, without the section's name ("kv.application").
using Section = std::map<std::string, std::string>;

// What is shown under runtime.assent. in cmap, without that prefix ("kv.state").
using StatusValue = std::variant<uint8_t, uint32_t, uint64_t, std::string>;
using StatusKeys = std::map<std::string, StatusValue>;

}  // namespace assent
