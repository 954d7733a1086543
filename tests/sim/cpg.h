// A model of corosync's closed process groups, quorum service included, as bad as the real one: one agreed order inside
// a ring, but a partition can fall anywhere in it, a sender delivers its own message alone, messages come in a later
// view than they were sent in, a node can be cut off without being told, members are ghosts, quorum comes before or after
// the view. What a process makes of the callbacks is the daemon's own code: ViewTracker and Outbox.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/event.h"
#include "corosync/outbox.h"
#include "corosync/view.h"
#include "random.h"
#include "schedule.h"

namespace assent::sim {

struct Packet {
    Header header;
    Message message;
};
using PacketPtr = std::shared_ptr<const Packet>;

struct CpgTimes {
    Span order;           // sent until it has its place in the order
    Span deliver;         // from there to another node
    Span view;            // a new ring until a node is told
    Span quorum;          // the same for the quorate flag
    Span detect;          // a node lost until a ring without it forms
    Span merge;           // a node reachable until a ring with it forms
    Span token = {0, 0};  // a node lost until nobody in its ring sends any more
};

class Cpg {
  public:
    using Deliver = std::function<void(NodeId, Event)>;
    Cpg(Schedule& schedule, Random& random, const CpgTimes& times, uint32_t nodes, Deliver deliver);

    // corosync on a node. `power` lost: its ring number may begin anew.
    void corosync_up(NodeId n);
    void corosync_down(NodeId n, bool power);
    // It says good-bye first: the others see a process leave, and then a ring without its node.
    void corosync_stop(NodeId n);
    bool is_up(NodeId n) const { return at(n).up; }
    // The process on a node joins the group, or is gone. `ghost`: nobody is told, until bury().
    void join(NodeId n);
    void leave(NodeId n, bool ghost = false);
    void bury(NodeId n);
    void send(NodeId n, PacketPtr packet);
    // The process has read this message of its own.
    void own_read(NodeId n, const Header& header);
    // Nodes with the same number reach each other. Rings follow after a while, each in its own time.
    void set_components(const std::vector<uint32_t>& component_of_node);
    // At once, for scenarios: this very ring, whoever is in it.
    void form(const std::vector<NodeId>& nodes, RingId id);
    // Votes for the quorate flag; `lies`: quorate whatever the votes (two_node and the like).
    void set_votes(const std::vector<uint32_t>& votes, bool lies) { votes_ = votes, quorate_lies_ = lies; }
    void tell_quorum(NodeId n, bool quorate) { deliver_(n, event::Quorum{quorate}); }
    // Tells the true quorate flag of a node's ring again.
    void refresh_quorum(NodeId n) {
        if (at(n).ring) tell_quorum_of(*at(n).ring);
    }
    void set_noise(uint32_t loss_permille, uint32_t duplicate_permille) {
        loss_ = loss_permille, duplicate_ = duplicate_permille;
    }
    // corosync answers TRY_AGAIN for so long (0: no more).
    void set_busy(NodeId n, int64_t for_us) { at(n).busy_until = schedule_.now() + for_us; }
    // Larger messages are cut into pieces, and some may get no more than a part: nothing.
    void set_atomic(uint64_t bytes) { atomic_ = bytes; }
    // Messages from one node to another vanish (0: from or to anybody).
    void drop(NodeId from, NodeId to, bool on);
    RingId ring_of(NodeId n) const;

    // Does the process on a node stand still?
    std::function<bool(NodeId)> stands_still = [](NodeId) { return false; };

  private:
    struct Process {
        NodeId node;
        uint64_t life = 0;
        auto operator<=>(const Process&) const = default;
    };
    struct Item {
        PacketPtr packet;  // null: a change of members
        std::vector<Process> members;
    };
    struct Ring {
        RingId id;
        std::vector<NodeId> nodes;
        std::vector<Item> log;  // the first one is the ring's beginning
        bool frozen = false;    // the token is lost: nothing gets a place any more
    };
    struct Node {
        bool up = false;
        uint32_t component = 0;
        uint64_t ring_sequence = 0;
        uint64_t corosync_life = 0;
        int64_t busy_until = 0;
        std::shared_ptr<Ring> ring;
        size_t cursor = 0;         // next item of the ring for this process
        size_t hole = ~size_t(0);  // first item that did not reach the node
        int64_t last_due = 0;
        std::deque<PacketPtr> queue;  // corosync's own
        bool pumping = false;

        // The process.
        bool joined = false;
        bool fresh = false;  // it joined in this ring, and has not been told of it
        uint64_t life = 0;
        std::vector<Process> told;  // members, the last time
        ViewTracker views;
        std::unique_ptr<Outbox> outbox;
        std::deque<PacketPtr> waiting;  // what the outbox holds
        bool retrying = false;
        int64_t retry_us = 0;
    };

    Node& at(NodeId n) { return nodes_[n.value]; }
    const Node& at(NodeId n) const { return nodes_[n.value]; }
    bool connected(NodeId a, NodeId b) const;
    std::vector<NodeId> reachable(NodeId n) const;
    std::vector<Process> members_of(const Ring& ring) const;
    void topology_changed();
    void lose_token(const std::shared_ptr<Ring>& ring);
    void settle(NodeId n);
    void end_old_rings(const std::vector<NodeId>& nodes);
    void append(const std::shared_ptr<Ring>& ring, Item item, NodeId sender);
    void schedule_delivery(NodeId n, size_t upto, int64_t delay);
    void deliver_upto(NodeId n, size_t upto);
    void hand(NodeId n, const Ring& ring, size_t place);
    void hand_message(NodeId n, const Ring& ring, const PacketPtr& packet);
    void begin_ring(NodeId n, const Ring& ring, const Item& item);
    void tell_members(NodeId n, const std::vector<Process>& members, bool ring_follows);
    void tell_ring(NodeId n, const Ring& ring);
    void tell(NodeId n, const std::optional<CpgView>& view);
    void begin_process(NodeId n);
    void end_process(NodeId n);
    void flush(NodeId n);
    Cs mcast(NodeId n);
    void pump(NodeId n);
    void change_members(NodeId n);
    void tell_quorum_of(const Ring& ring);

    Schedule& schedule_;
    Random& random_;
    CpgTimes times_;
    Deliver deliver_;
    std::vector<Node> nodes_;
    std::vector<uint32_t> votes_;
    bool quorate_lies_ = false;
    uint32_t loss_ = 0;
    uint32_t duplicate_ = 0;
    uint64_t atomic_ = Outbox::kMaxMessage;
    std::vector<Process> ghosts_;
    std::set<std::pair<NodeId, NodeId>> dropped_;
};

}  // namespace assent::sim
