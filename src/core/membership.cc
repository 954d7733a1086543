// R9, first half: the first CONFIG, by unanimity of corosync's nodelist.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

// The lowest node id founds the cluster once every node of the nodelist is present, shows the same nodelist, and has an
// empty ledger and no cluster_id.
void Replica::Impl::consider_founding() {
    take_own_cluster();
    if (!started_ || state_.cluster || log_.last().index || !quorate_ || nodelist_.empty()) return;
    if (nodelist_.front().node != options_.node && !ASSENT_MUTANT(every_node_founds_the_cluster)) return;
    auto config = std::make_shared<Config>();
    config->cluster = options_.fresh_cluster;
    for (const ListedNode& n : nodelist_) {
        if (!in_view(n.node) && ASSENT_MUTANT(founds_with_a_part_of_the_nodelist)) continue;
        if (!in_view(n.node)) return;
        LedgerId ledger = state_.ledger;
        if (n.node != options_.node) {
            auto h = heard_.find(n.node);
            if (h == heard_.end()) return;
            bool has_one = !h->second.status.ledger_empty || h->second.header.cluster;
            if (has_one && !ASSENT_MUTANT(founds_beside_a_node_that_has_a_cluster)) return;
            if (h->second.status.nodelist != nodelist_) return;
            ledger = h->second.header.ledger;
        }
        if (n.votes) config->voters.push_back({n.node, ledger, n.votes});
    }
    if (config->voters.empty()) return;
    auto entry = std::make_shared<Entry>();
    entry->index = Index(1);
    entry->kind = EntryKind::config;
    entry->config = config;
    say(concat("founds the cluster: all ", nodelist_.size(), " nodes of the nodelist are here, with empty ledgers"));
    append(entry);
}

// The founder's cluster_id comes after its CONFIG is durable: a crash must not leave it with the one and not the other.
// Whoever finds that CONFIG at a start goes on with it.
void Replica::Impl::take_own_cluster() {
    bool there = durability_.durable() || (ASSENT_MUTANT(cluster_id_before_the_first_config) && log_.last().index);
    if (!started_ || state_.cluster || !there || log_.epoch_at(Index(1)) != Epoch(0)) return;
    state_.cluster = log_.first_config()->config->cluster;
    save_state();
}

// A node without a cluster takes that of the master it follows.
bool Replica::Impl::adopt_cluster(const Header& h) {
    if (state_.cluster) return true;
    if (!h.cluster || log_.last().index) return false;
    say(concat("joins the cluster of node ", h.from));
    state_.cluster = h.cluster;
    save_state();
    return true;
}

}  // namespace assent
