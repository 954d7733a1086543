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

    // The daemon: started on what the disk holds (it may fail to, and then tries again later); ended with what the
    // kernel or only the disk keeps.
    void start();
    void stop();
    void power_loss();
    // Power, corosync and daemon, unless it is started or ended before.
    void boot_later(int64_t delay_us);
    bool running() const { return replica_ != nullptr; }
    // Its ledger is damaged: it stays down, until the disk is wiped.
    bool refused() const { return refused_; }
    // Everything on its disks is gone; only while the daemon is down.
    void wipe();
    // SIGSTOP for a while: whatever comes waits.
    void pause(int64_t for_us);
    void resume() { pause(0); }
    bool paused() const;
    // As pause, and CLOCK_MONOTONIC_RAW stands still.
    void suspend(int64_t for_us);
    void reboot_clock();
    // The application alone, from its durable state.
    void restart_application();
    // CLOCK_MONOTONIC_RAW runs at this rate from now on.
    void drift(int64_t raw_ppm);
    // The daemon reads that many times as late.
    void slow_down(int64_t factor) { slow_ = factor; }

    // For the replica; lost if the daemon does not run.
    void give(Event event);
    // As the daemon would read its clocks now.
    Now clock() const;
    // Every event so far has been handled.
    bool idle() const { return inbox_.empty(); }

    NodeId id() const { return id_; }
    const Replica& replica() const { return *replica_; }
    ReplicaView view() const { return replica_->view(); }
    App& app() { return app_; }
    Disk& disk() { return disk_; }
    uint64_t life() const { return life_; }

  private:
    Disk::Hooks disk_hooks();
    void disk_ended(Disk::End how, const std::string& why);
    bool end();
    void redeliver();
    void withdraw(Index from);
    int64_t up_us() const;
    int64_t suspended_us() const;
    void end_suspend();
    void wake();
    void work();
    void shuffle_sources();
    void step(Event event);
    void check_further(const Update& update);
    void carry_out(Update&& update);
    void set_timer(int64_t deadline_raw_us);
    int64_t until_raw(int64_t raw_us) const;

    World& world_;
    NodeId id_;
    Options options_;
    ClockRates rates_;
    int64_t slow_ = 1;
    int64_t booted_at_ = 0;
    int64_t drifted_us_ = 0;  // what the raw clock gained at earlier rates
    int64_t rate_since_ = 0;  // awake time at which the rate began
    int64_t suspended_us_ = 0;
    int64_t drifted_in_suspend_us_ = 0;
    Now read_;                     // last
    int64_t suspended_since_ = 0;  // 0: it is not
    Disk disk_;
    App app_;
    std::unique_ptr<Replica> replica_;
    std::unique_ptr<Invariants> invariants_;
    AcceptCheck accepts_;
    ReplicaView before_;
    std::deque<Event> inbox_;
    std::deque<Event> batch_;  // taken out of it and being worked on
    bool awake_ = false;
    bool was_paused_ = false;
    bool refused_ = false;
    int64_t paused_until_ = 0;
    uint64_t life_ = 0;
    uint64_t timer_ = 0;
};

}  // namespace assent::sim
