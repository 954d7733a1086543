// Messages on their way into CPG, in order. Pure: the call that multicasts is given to it.
//
// corosync answers "try again" while it synchronises or its queue is full, and says nothing when it has room again. And
// cpg_mcast_joined spins inside libqb once about 280 messages of ours wait unread in shared memory (corosync is
// stopped, or slow), so no more than a bound, in messages and bytes, is handed over before it comes back
// self-delivered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "corosync/status.h"

namespace assent {

class Outbox {
  public:
    using Mcast = std::function<Cs(std::string_view)>;

    static constexpr size_t kMaxMessage = 1'047'552;       // larger ones CPG would cut into pieces
    static constexpr size_t kMaxQueued = 64u << 20;        // bytes
    static constexpr size_t kMaxUnread = 128;              // messages
    static constexpr size_t kMaxUnreadBytes = 896u << 10;  // one larger message goes alone

    enum class Flushed {
        all,     // nothing waits
        unread,  // the rest waits for own messages to be delivered
        again,   // the rest waits for corosync: flush again in some milliseconds
        dead,    // the connection is gone
    };

    explicit Outbox(Mcast mcast) : mcast_(std::move(mcast)) {}

    // False, and nothing is queued, if the message is too large or the queue full.
    bool push(std::string message);
    // Hands over as much as may be.
    Flushed flush();
    // An own message was self-delivered. Those sent before it and not seen were lost and count as read.
    void on_delivered(std::string_view message);
    void clear();

    size_t queued_bytes() const { return queued_bytes_; }
    size_t unread() const { return unread_.size(); }

  private:
    struct Unread {
        uint64_t fingerprint;
        size_t size;
    };
    static uint64_t fingerprint(std::string_view message);
    bool room(size_t size) const;

    Mcast mcast_;
    std::deque<std::string> queue_;
    size_t queued_bytes_ = 0;
    std::deque<Unread> unread_;
    size_t unread_bytes_ = 0;
};

}  // namespace assent
