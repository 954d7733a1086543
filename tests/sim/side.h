// A model of the side channel: one TCP connection a pair of nodes, first in first out, delays, cuts in one or both
// directions, and what was under way lost when a connection breaks; the ends learn of it late and apart.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "cpg.h"

namespace assent::sim {

struct SideTimes {
    Span deliver;
    Span connect;  // both reachable until the connection stands
    Span detect;   // a cut until the connection is given up
    Span tell;     // until an end knows
};

class Side {
  public:
    Side(Schedule& schedule, Random& random, const SideTimes& times, uint32_t nodes, Cpg::Deliver deliver);

    void process_up(NodeId n);
    void process_down(NodeId n);
    // The host is gone: its peers notice by and by.
    void power_lost(NodeId n);
    void send(NodeId from, NodeId to, PacketPtr packet);
    // Can bytes go from one to the other?
    void set_reach(NodeId from, NodeId to, bool on);
    bool reaches(NodeId from, NodeId to) const { return !cut_[from.value][to.value]; }
    bool connected(NodeId a, NodeId b) const { return conns_.at(pair_of(a, b)).up; }
    void break_connection(NodeId a, NodeId b);
    // Everything from one to the other takes so many times as long.
    void slow_down(NodeId from, NodeId to, uint64_t factor) { factor_[from.value][to.value] = factor; }

  private:
    struct Conn {
        bool up = false;
        bool checking = false;
        uint64_t generation = 0;
        int64_t last_due[2] = {0, 0};
    };
    using Pair = std::pair<NodeId, NodeId>;
    static Pair pair_of(NodeId a, NodeId b) { return a < b ? Pair(a, b) : Pair(b, a); }
    void check_later(Pair pair);
    void check(Pair pair);
    void arrive(NodeId from, NodeId to, PacketPtr packet, uint64_t generation);
    void tell(NodeId n);

    Schedule& schedule_;
    Random& random_;
    SideTimes times_;
    Cpg::Deliver deliver_;
    std::vector<bool> up_;
    std::vector<uint64_t> life_;
    std::vector<std::vector<bool>> cut_;
    std::vector<std::vector<uint64_t>> factor_;
    std::map<Pair, Conn> conns_;
};

}  // namespace assent::sim
