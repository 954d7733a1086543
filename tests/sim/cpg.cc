#include "cpg.h"

#include <algorithm>

namespace assent::sim {

Cpg::Cpg(Schedule& schedule, Random& random, const CpgTimes& times, uint32_t nodes, Deliver deliver)
    : schedule_(schedule), random_(random), times_(times), deliver_(std::move(deliver)), nodes_(nodes + 1),
      votes_(nodes + 1, 1) {}

RingId Cpg::ring_of(NodeId n) const { return at(n).ring ? at(n).ring->id : RingId(); }

std::vector<NodeId> Cpg::reachable(NodeId n) const {
    std::vector<NodeId> found;
    for (uint32_t m = 1; m < nodes_.size(); ++m) {
        if (nodes_[m].up && nodes_[m].component == at(n).component) found.push_back(NodeId(m));
    }
    return found;
}

// ---- corosync itself

void Cpg::corosync_up(NodeId n) {
    Node& node = at(n);
    if (node.up) return;
    node.up = true;
    ++node.corosync_life;
    form({n}, RingId{n, node.ring_sequence + 1});  // alone at first
    topology_changed();
}

void Cpg::corosync_down(NodeId n, bool power) {
    Node& node = at(n);
    if (!node.up) return;
    node.up = false;
    ++node.corosync_life;
    ++node.life;
    node.ring.reset();
    node.queue.clear();
    if (power && random_.one_in(4)) node.ring_sequence = 0;
    if (node.joined) deliver_(n, event::CpgLost{});
    node.joined = false;
    topology_changed();
}

void Cpg::set_components(const std::vector<uint32_t>& component_of_node) {
    for (uint32_t n = 1; n < nodes_.size(); ++n) nodes_[n].component = component_of_node[n];
    topology_changed();
}

void Cpg::topology_changed() {
    for (uint32_t m = 1; m < nodes_.size(); ++m) {
        NodeId n(m);
        if (!at(n).up) continue;
        std::vector<NodeId> now = reachable(n);
        if (now == at(n).ring->nodes && !at(n).ring->frozen) continue;
        bool lost = !std::includes(now.begin(), now.end(), at(n).ring->nodes.begin(), at(n).ring->nodes.end());
        for (NodeId peer : at(n).ring->nodes) lost |= at(peer).ring != at(n).ring;  // it restarted meanwhile
        if (lost) at(n).ring->frozen = true;
        schedule_.after(random_.pick(lost ? times_.detect : times_.merge), [this, n, life = at(n).corosync_life] {
            if (at(n).corosync_life == life) settle(n);
        });
    }
}

void Cpg::settle(NodeId n) {
    std::vector<NodeId> now = reachable(n);
    if (at(n).ring->nodes == now && !at(n).ring->frozen) return;
    uint64_t sequence = 0;
    for (NodeId m : now) sequence = std::max(sequence, at(m).ring_sequence);
    form(now, RingId{now.front(), sequence + 4});
}

void Cpg::form(const std::vector<NodeId>& nodes, RingId id) {
    end_old_rings(nodes);
    auto ring = std::make_shared<Ring>();
    ring->id = id;
    ring->nodes = nodes;
    for (NodeId n : nodes) {
        if (at(n).joined) ring->members.push_back(n);
    }
    ring->log.push_back(Item{nullptr, ring->members});
    for (NodeId n : nodes) {
        Node& node = at(n);
        if (node.ring) node.ring->frozen = true;
        node.ring = ring;
        node.cursor = 0;
        node.last_due = schedule_.now();
        node.ring_sequence = std::max(node.ring_sequence, id.sequence);
        if (node.joined) schedule_delivery(n, 0, random_.pick(times_.view));
        if (!node.queue.empty()) pump(n);
    }
    tell_quorum_of(*ring);
}

// Those who move together deliver the same part of the old ring first, unless they were cut off before they knew of it.
void Cpg::end_old_rings(const std::vector<NodeId>& nodes) {
    std::map<Ring*, std::vector<NodeId>> together;
    std::vector<std::shared_ptr<Ring>> order;
    for (NodeId n : nodes) {
        if (!at(n).ring) continue;
        auto& group = together[at(n).ring.get()];
        if (group.empty()) order.push_back(at(n).ring);
        group.push_back(n);
    }
    for (const auto& ring : order) {
        size_t most = 0;
        for (NodeId n : together[ring.get()]) most = std::max(most, at(n).cursor);
        size_t upto = size_t(random_.between(int64_t(most), int64_t(ring->log.size())));
        for (NodeId n : together[ring.get()]) {
            bool hidden = at(n).cursor == 0 && random_.one_in(4);
            if (at(n).joined && upto > 0 && !hidden) deliver_upto(n, upto - 1);
        }
    }
}

void Cpg::tell_quorum_of(const Ring& ring) {
    uint64_t all = 0;
    uint64_t here = 0;
    for (uint32_t v : votes_) all += v;
    all -= votes_[0];
    for (NodeId n : ring.nodes) here += votes_[n.value];
    bool quorate = quorate_lies_ || here * 2 > all;
    for (NodeId n : ring.nodes) {
        schedule_.after(random_.pick(times_.quorum), [this, n, quorate, life = at(n).life, id = ring.id] {
            if (at(n).life == life && at(n).ring && at(n).ring->id == id) tell_quorum(n, quorate);
        });
    }
}

// ---- the group

void Cpg::join(NodeId n) {
    Node& node = at(n);
    if (!node.up) return;
    ++node.life;
    schedule_.after(random_.pick(times_.order), [this, n, life = node.life] {
        if (at(n).life != life) return;
        at(n).joined = true;
        at(n).cursor = at(n).ring->log.size();
        change_members(n);
        tell_quorum_of(*at(n).ring);
    });
}

void Cpg::leave(NodeId n) {
    Node& node = at(n);
    ++node.life;
    bool was = node.joined;
    node.joined = false;
    while (!node.queue.empty() && random_.one_in(2)) node.queue.pop_back();  // a suffix is lost
    if (!was || !node.ring || node.ring->frozen) return;
    while (!node.queue.empty()) {
        append(node.ring, Item{node.queue.front(), {}}, n);
        node.queue.pop_front();
    }
    change_members(n);
}

// The ring's list of processes follows `joined`; ordered with its messages.
void Cpg::change_members(NodeId n) {
    auto ring = at(n).ring;
    if (ring->frozen) return;  // the next ring's first list will tell
    ring->members.clear();
    for (NodeId m : ring->nodes) {
        if (at(m).ring == ring && at(m).joined) ring->members.push_back(m);
    }
    append(ring, Item{nullptr, ring->members}, n);
}

void Cpg::send(NodeId n, PacketPtr packet) {
    Node& node = at(n);
    if (!node.joined) return;  // dropped, though the library says CS_OK
    node.queue.push_back(std::move(packet));
    pump(n);
}

void Cpg::pump(NodeId n) {
    if (at(n).pumping) return;
    at(n).pumping = true;
    schedule_.after(random_.pick(times_.order), [this, n] {
        Node& node = at(n);
        node.pumping = false;
        if (!node.ring || node.ring->frozen || node.queue.empty()) return;
        for (int frames = 17; frames > 0 && !node.queue.empty(); --frames) {
            append(node.ring, Item{node.queue.front(), {}}, n);
            node.queue.pop_front();
        }
        if (!node.queue.empty()) pump(n);
    });
}

void Cpg::append(const std::shared_ptr<Ring>& ring, Item item, NodeId sender) {
    ring->log.push_back(std::move(item));
    size_t place = ring->log.size() - 1;
    for (NodeId n : ring->nodes) {
        if (at(n).ring != ring || !at(n).joined) continue;
        schedule_delivery(n, place, n == sender ? 0 : random_.pick(times_.deliver));
    }
}

void Cpg::schedule_delivery(NodeId n, size_t upto, int64_t delay) {
    Node& node = at(n);
    node.last_due = std::max(node.last_due, schedule_.now() + delay);
    schedule_.after(node.last_due - schedule_.now(), [this, n, upto, ring = node.ring, life = node.life] {
        if (at(n).ring == ring && at(n).life == life && at(n).joined) deliver_upto(n, upto);
    });
}

void Cpg::deliver_upto(NodeId n, size_t upto) {
    auto ring = at(n).ring;
    while (at(n).joined && at(n).ring == ring && at(n).cursor <= upto) {
        hand(n, *ring, ring->log[at(n).cursor++]);
    }
}

void Cpg::hand(NodeId n, const Ring& ring, const Item& item) {
    if (!item.packet) {
        deliver_(n, event::View{ring.id, item.members});
        return;
    }
    NodeId from = item.packet->header.from;
    for (auto pair : {std::pair{from, n}, std::pair{NodeId(), n}, std::pair{from, NodeId()}}) {
        if (dropped_.count(pair)) return;
    }
    if (random_.permille(loss_)) return;
    deliver_(n, event::Received{item.packet->header, item.packet->message, true});
    if (random_.permille(duplicate_)) deliver_(n, event::Received{item.packet->header, item.packet->message, true});
}

void Cpg::drop(NodeId from, NodeId to, bool on) {
    if (on) {
        dropped_.insert({from, to});
    } else {
        dropped_.erase({from, to});
    }
}

}  // namespace assent::sim
