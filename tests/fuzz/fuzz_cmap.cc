// What cmap holds: the nodelist and the section "assent", any keys with any values.
#include <algorithm>

#include "base/failure.h"
#include "core/assert.h"
#include "corosync/cmap_adapter.h"
#include "daemon/config.h"
#include "fuzz/input.h"

namespace {

using namespace assent;

void check_nodelist(const Section& nodelist) {
    const Cluster cluster = parse_nodelist(nodelist);
    ASSENT_ASSERT(cluster.nodes.size() <= nodelist.size());
    ASSENT_ASSERT(std::is_sorted(cluster.nodes.begin(), cluster.nodes.end(),
                                 [](const Node& a, const Node& b) { return a.id < b.id; }));
    for (const Node& node : cluster.nodes)
        ASSENT_ASSERT(node.id && node.votes <= 255 && node.addresses.size() <= nodelist.size());
    ASSENT_ASSERT(!cluster.local || std::any_of(cluster.nodes.begin(), cluster.nodes.end(),
                                                [&](const Node& n) { return n.id == cluster.local; }));
}

void check_section(const Section& section) {
    try {
        const DaemonConfig config = parse_config(section);
        ASSENT_ASSERT(!config.groups.empty() && config.groups.size() <= 16);
        ASSENT_ASSERT(config.ledger_quota_bytes >= config.ledger_retain_bytes + 2 * config.ledger_segment_bytes);
    } catch (const Failure& failure) {
        ASSENT_ASSERT(failure.exit_code() == 78 && std::string(failure.what()).size() <= 8192);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    Section nodelist, section;
    while (!input.empty()) {
        const std::string key(input.piece());
        (key.starts_with("node.") || key.starts_with("local") ? nodelist : section)[key] = input.piece();
    }
    check_nodelist(nodelist);
    check_section(section);
    return 0;
}
