// What only the simulator can check, as it sees the application beside the node: what was accepted was asked, and
// client tables are alike.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "core/replica.h"

namespace assent::sim {

// Of one node; lives over its restarts.
class AcceptCheck {
  public:
    // The application was told to have taken these, as the entries were when it was asked.
    void took(Position p) { taken_.insert(p); }
    void told_healthy(bool healthy) { healthy_ = healthy; }
    // The mark moves over no WRITE that the application did not take (R5). Empty, or what is wrong.
    std::string marked(const Replica& replica, Index mark, bool asked);
    void cut(Index from) { mark_ = std::min(mark_, prior(from)); }
    void restarted(Index mark) {
        mark_ = mark;
        healthy_ = true;
    }

  private:
    std::set<Position> taken_;
    bool healthy_ = true;
    Index mark_;
};

// Of all nodes: the client table after an index is the same everywhere (R10).
class TableCheck {
  public:
    std::string decided(NodeId node, Index upto, const ClientTable& table);

  private:
    std::map<Index, uint64_t> digests_;
};

}  // namespace assent::sim
