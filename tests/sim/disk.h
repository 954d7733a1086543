// A node's disk as the ledger uses it: units go in, syncs take a while, a crash keeps only a beginning of what was not synced.
#pragma once

#include <deque>
#include <functional>

#include "core/update.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

// What is on the disk after a sync.
struct DiskContent {
    NodeState state;
    std::vector<EntryPtr> entries;  // index 1 first
    Index mark;
};

// The interface that a store on real ledger files can take over.
class Disk {
  public:
    virtual ~Disk() = default;
    virtual void submit(Persist unit) = 0;
    // What a reader finds: synced entries only.
    virtual std::vector<EntryPtr> read(Index from, Index upto, uint64_t max_bytes) const = 0;
    // The process ended (the kernel still has what was written) or the power failed.
    virtual void crash() = 0;
    virtual const DiskContent& content() const = 0;
    virtual void slow_down(uint64_t factor) = 0;
};

// Persist units in memory. Within a unit a crash can keep a beginning too: state, truncation, single entries, mark.
class UnitDisk : public Disk {
  public:
    // `synced` is told of every unit as it becomes durable, in order.
    UnitDisk(Schedule& schedule, Random& random, Span latency, std::function<void(const Persist&)> synced);

    void format(const NodeState& state) { content_.state = state; }
    void submit(Persist unit) override;
    std::vector<EntryPtr> read(Index from, Index upto, uint64_t max_bytes) const override;
    void crash() override;
    const DiskContent& content() const override { return content_; }
    void slow_down(uint64_t factor) override { factor_ = factor; }

  private:
    void sync();
    void take(const Persist& unit);
    void take_part(const Persist& unit);

    Schedule& schedule_;
    Random& random_;
    Span latency_;
    uint64_t factor_ = 1;
    std::function<void(const Persist&)> synced_;
    DiskContent content_;
    std::deque<Persist> pending_;
    size_t syncing_ = 0;  // of pending_, the first ones
    uint64_t life_ = 0;   // syncs of an earlier life change nothing
};

}  // namespace assent::sim
