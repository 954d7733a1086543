// One host: a replica, its disk and application, its clocks, and the loop that drives them.
#pragma once

#include <deque>
#include <memory>

#include "app.h"
#include "checks.h"
#include "core/invariants.h"
#include "core/replica.h"
#include "cpg.h"
#include "disk.h"

namespace assent::sim {

class World;

struct ClockRates {
    int64_t raw_ppm = 0;  // CLOCK_MONOTONIC_RAW against true time
};

class Node {
  public:
    Node(World& world, NodeId id, const Options& options, ClockRates rates);

    // The daemon: started on what the disk holds; ended with what the kernel or only the disk keeps.
    void start();
    void stop();
    bool running() const { return replica_ != nullptr; }
    // SIGSTOP for a while: whatever comes waits.
    void pause(int64_t for_us);
    void resume() { pause(0); }
    bool paused() const;
    // As pause, and CLOCK_MONOTONIC_RAW stands still.
    void suspend(int64_t for_us);
    void reboot_clock();
    // The application alone, from its durable state.
    void restart_application();

    // For the replica; lost if the daemon does not run.
    void give(Event event);
    // Every event so far has been handled.
    bool idle() const { return inbox_.empty(); }

    NodeId id() const { return id_; }
    const Replica& replica() const { return *replica_; }
    ReplicaView view() const { return replica_->view(); }
    App& app() { return app_; }
    UnitDisk& disk() { return disk_; }
    uint64_t life() const { return life_; }

  private:
    void redeliver();
    void withdraw(Index from);
    Now clock() const;
    void end_suspend();
    void wake();
    void work();
    void step(Event event);
    void check_further(const Update& update);
    void carry_out(Update&& update);
    void set_timer(int64_t deadline_raw_us);
    int64_t until_raw(int64_t raw_us) const;

    World& world_;
    NodeId id_;
    Options options_;
    ClockRates rates_;
    int64_t booted_at_ = 0;
    int64_t suspended_us_ = 0;
    int64_t suspended_since_ = 0;  // 0: it is not
    UnitDisk disk_;
    App app_;
    std::unique_ptr<Replica> replica_;
    std::unique_ptr<Invariants> invariants_;
    AcceptCheck accepts_;
    ReplicaView before_;
    std::deque<Event> inbox_;
    bool awake_ = false;
    int64_t paused_until_ = 0;
    uint64_t life_ = 0;
    uint64_t timer_ = 0;
};

}  // namespace assent::sim
