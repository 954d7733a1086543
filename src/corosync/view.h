// Turns CPG's callbacks into views. Pure: no corosync in it.
//
// CPG tells a ring change piece by piece: a configuration change with those who left, one with those who joined, more
// for processes found dead, and last the ring id with the nodes of the ring. A view is complete with the last one. A
// process that joins, leaves or dies in a ring gives a configuration change alone.
#pragma once

#include <optional>
#include <vector>

#include "core/types.h"

namespace assent {

struct CpgView {
    RingId ring;
    std::vector<NodeId> members;  // sorted, each node once
    bool operator==(const CpgView&) const = default;
};

class ViewTracker {
  public:
    // Forgets everything: a new connection.
    void reset(NodeId local) {
        *this = ViewTracker();
        local_ = local;
    }

    // A configuration change. `nodes`: those of the member list, in any order, a node as often as it has processes; the
    // lists of joined and left count for nothing, a node may be in both. `ring_follows`: somebody left or joined as a
    // node, so the ring id is still to come.
    std::optional<CpgView> on_members(std::vector<NodeId> nodes, bool ring_follows);

    // The ring id and all its nodes, whether they run a member or not.
    std::optional<CpgView> on_ring(RingId ring, std::vector<NodeId> nodes);

    // A message: corosync puts none inside a ring change, so whatever was still awaited will not come.
    std::optional<CpgView> on_message();

  private:
    std::optional<CpgView> settle();

    NodeId local_;
    std::vector<NodeId> group_;  // nodes with a process in the group
    std::vector<NodeId> nodes_;  // of the ring
    std::optional<RingId> ring_;
    bool ring_follows_ = false;
    std::optional<CpgView> told_;
};

}  // namespace assent
