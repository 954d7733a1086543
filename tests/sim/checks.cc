#include "checks.h"

#include <algorithm>
#include <utility>

namespace assent::sim {

std::string AcceptCheck::marked(const Replica& replica, Index mark, bool asked) {
    Index from = next(std::exchange(mark_, mark));
    for (Index i = std::max(from, next(replica.confirmed())); i <= mark; i = next(i)) {
        EntryPtr entry = replica.entry(i);
        if (!entry || entry->kind != EntryKind::write) continue;
        if (asked ? taken_.count(entry->position()) != 0 : healthy_) continue;
        return "R5: " + text(entry->position()) +
               (asked ? " is marked accepted, and the application did not take it"
                      : " is marked accepted, and the application does not answer");
    }
    return {};
}

std::string TableCheck::decided(NodeId node, Index upto, const ClientTable& table) {
    uint64_t digest = table.digest();
    auto [it, fresh] = digests_.try_emplace(upto, digest);
    if (fresh || it->second == digest) return {};
    return "R10: the client table of node " + std::to_string(node.value) + " is another one at " +
           std::to_string(upto.value) + " than elsewhere";
}

}  // namespace assent::sim
