// corosync's `quorate` flag: libquorum, model v1. Threads as in cpg_adapter.h.
#pragma once

#include <cstdint>
#include <functional>

#include "base/loop.h"
#include "core/types.h"

namespace assent {

struct QuorumConnection {
    uint64_t handle = 0;
    int fd = -1;
};

class Quorum {
  public:
    // The flag and the ring it was found in; may come with nothing changed, before or after CPG tells the same ring,
    // and be true for seconds when it is so no more.
    using OnQuorum = std::function<void(bool quorate, RingId ring)>;

    Quorum(Loop& loop, OnQuorum on_quorum, std::function<void()> on_dead);
    // release() has been called.
    ~Quorum() = default;
    Quorum(const Quorum&) = delete;
    Quorum& operator=(const Quorum&) = delete;

    // Connects and asks for changes; a cs_error_t number, 1 for success.
    int open(QuorumConnection& connection);
    static void close(uint64_t handle);

    void adopt(const QuorumConnection& connection);
    void release();

    // For the C callback.
    void on_notify(bool quorate, RingId ring);

  private:
    void on_readable(uint32_t revents);

    Loop& loop_;
    const OnQuorum on_quorum_;
    const std::function<void()> on_dead_;
    QuorumConnection connection_;  // fd -1: none
};

}  // namespace assent
