// What goes wrong, at random: everything the protocol must survive.
#pragma once

#include "world.h"

namespace assent::sim {

class Nemesis {
  public:
    explicit Nemesis(World& world);

    void start();
    // No more faults: all is repaired, but for the nodes that are to stay off.
    void stop(const std::vector<NodeId>& stay_off);

  private:
    void next();
    void strike();
    void split();
    void cut_link();
    void end_daemon(NodeId n);
    void end_corosync(NodeId n);
    void power(NodeId n);
    void later(int64_t delay, std::function<void()> what);

    World& world_;
    Random& random_;
    bool stopped_ = false;
    Span pace_;
    uint64_t tokens_ = 1ull << 60;
};

}  // namespace assent::sim
