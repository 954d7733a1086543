// One CPG group of corosync's: libcpg, model v1, one handle.
//
// open() and close() block and are for the control thread; everything else is for the loop's thread. Between them a
// handle is handed over: adopt() gives it to the loop, and only after release() may it be closed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "corosync/outbox.h"
#include "corosync/view.h"

namespace assent {

struct CpgCallbacks {
    // Members changed, or the ring did. The local node is always one of them.
    std::function<void(const CpgView&)> on_view;
    // A message of a process on `from`, one's own among them; the bytes are gone after the call.
    std::function<void(NodeId from, std::string_view message)> on_message;
    // No view any more; what was sent and not yet self-delivered may be lost. on_view comes again when corosync is
    // back.
    std::function<void()> on_lost;
};

struct CpgConnection {
    uint64_t handle = 0;
    int fd = -1;
    NodeId local;
};

class Cpg {
  public:
    // `group` is the plain name ("kv"). `on_dead`, once a connection: it broke, and release() is to be
    // called, after the call at hand.
    Cpg(Loop& loop, std::string group, CpgCallbacks callbacks, std::function<void()> on_dead);
    // release() has been called.
    ~Cpg() = default;
    Cpg(const Cpg&) = delete;
    Cpg& operator=(const Cpg&) = delete;

    // Connects and joins; returns a cs_error_t number, 1 for success.
    int open(CpgConnection& connection);
    static void close(uint64_t handle);

    void adopt(const CpgConnection& connection);
    // Gives the handle back; `tell`: calls on_lost, if there had been an adopt.
    void release(bool tell);

    // Multicasts in order, now or when corosync takes it. False, and nothing is sent, without a connection, for a
    // message above Outbox::kMaxMessage and when Outbox::kMaxQueued bytes wait already.
    bool send(std::string message);

    const std::string& group() const { return group_; }
    size_t queued_bytes() const { return outbox_.queued_bytes(); }
    uint64_t sent() const { return sent_; }
    uint64_t retries() const { return retries_; }

    // For the C callbacks.
    void on_confchg(std::vector<NodeId> nodes, bool ring_follows);
    void on_ring(RingId ring, std::vector<NodeId> nodes);
    void on_deliver(NodeId from, uint32_t pid, std::string_view message);

  private:
    void on_readable(uint32_t revents);
    void flush();
    void cancel_timers();
    void tell(const std::optional<CpgView>& view);
    Cs mcast(std::string_view message);
    void dead(int cs_error);

    Loop& loop_;
    const std::string group_;
    const CpgCallbacks callbacks_;
    const std::function<void()> on_dead_;
    CpgConnection connection_;  // fd -1: none
    ViewTracker views_;
    Outbox outbox_;
    Loop::TimerId retry_ = 0;
    int64_t retry_us_ = 0;
    Loop::TimerId stuck_ = 0;
    bool dead_ = false;
    uint64_t sent_ = 0;
    uint64_t retries_ = 0;
};

}  // namespace assent
