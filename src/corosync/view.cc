#include "corosync/view.h"

#include <algorithm>
#include <iterator>

namespace assent {

namespace {

std::vector<NodeId> sorted(std::vector<NodeId> nodes) {
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    return nodes;
}

}  // namespace

std::optional<CpgView> ViewTracker::on_members(std::vector<NodeId> nodes, bool ring_follows) {
    group_ = sorted(std::move(nodes));
    ring_follows_ = ring_follows_ || ring_follows;
    return settle();
}

std::optional<CpgView> ViewTracker::on_ring(RingId ring, std::vector<NodeId> nodes) {
    nodes_ = sorted(std::move(nodes));
    ring_ = ring;
    ring_follows_ = false;
    return settle();
}

std::optional<CpgView> ViewTracker::on_message() {
    if (!ring_follows_) return std::nullopt;
    ring_follows_ = false;
    return settle();
}

std::optional<CpgView> ViewTracker::settle() {
    if (ring_follows_ || !ring_) return std::nullopt;
    CpgView view{*ring_, {}};
    // A process that died while it joined stays in corosync's list for ever; the ring's node list is right.
    std::set_intersection(group_.begin(), group_.end(), nodes_.begin(), nodes_.end(), std::back_inserter(view.members));
    if (!std::binary_search(view.members.begin(), view.members.end(), local_)) return std::nullopt;
    if (told_ == view) return std::nullopt;
    told_ = view;
    return view;
}

}  // namespace assent
