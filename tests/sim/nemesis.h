// What goes wrong: carries out the strikes of a run, each with its end, until it is told to stop and mend everything.
#pragma once

#include "strike.h"
#include "world.h"

namespace assent::sim {

class Nemesis {
  public:
    Nemesis(World& world, std::vector<Strike> strikes);

    void start();
    // No more faults: all is repaired, but for the nodes that are to stay off.
    void stop(const std::vector<NodeId>& stay_off);
    const StrikeCounts& counts() const { return counts_; }

  private:
    void carry_out(const Strike& strike);
    void self_test(const Strike& strike);
    bool strike_network(const Strike& strike, Random& random);
    bool strike_link(const Strike& strike, Random& random);
    bool strike_application(const Strike& strike, Random& random);
    bool strike_host(const Strike& strike, Random& random);
    bool strike_corosync(const Strike& strike, Random& random);
    bool strike_around(const Strike& strike, Random& random);
    bool strike_master(const Strike& strike, Random& random);
    void lonely_master(Node& master, Random& random);
    void quick_masters(Node& master, Random& random);
    void split(Random& random);
    void power(NodeId n, int64_t off_us);
    void move_master(NodeId target);
    void note(const std::string& line) { world_.note("nemesis: " + line); }
    void later(int64_t delay, std::function<void()> what);

    World& world_;
    std::vector<Strike> strikes_;
    StrikeCounts counts_{};
    bool stopped_ = false;
    uint64_t tokens_ = 1ull << 60;
};

}  // namespace assent::sim
