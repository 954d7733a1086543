#include "cpg.h"

#include <algorithm>
#include <iterator>

namespace assent::sim {
namespace {

constexpr size_t kQueueBusy = 48;  // frames in corosync's queue from which on it answers TRY_AGAIN
constexpr int64_t kRetryMinUs = 1'000;
constexpr int64_t kRetryMaxUs = 5'000;

// About as long as it is on the wire.
uint64_t size_of(const Message& message) {
    uint64_t size = 100;
    if (const auto* propose = std::get_if<Propose>(&message)) {
        for (const EntryPtr& entry : propose->entries) size += weight(*entry);
    }
    return size;
}

// What the outbox knows a message by.
std::string image(const Header& header) {
    uint64_t name = header.sequence ^ (header.incarnation.value << 20);
    return std::string(reinterpret_cast<const char*>(&name), sizeof name);
}

}  // namespace

Cpg::Cpg(Schedule& schedule, Random& random, const CpgTimes& times, uint32_t nodes, Deliver deliver)
    : schedule_(schedule), random_(random), times_(times), deliver_(std::move(deliver)), nodes_(nodes + 1),
      votes_(nodes + 1, 1) {}

RingId Cpg::ring_of(NodeId n) const { return at(n).ring ? at(n).ring->id : RingId(); }

bool Cpg::connected(NodeId a, NodeId b) const { return at(a).up && at(b).up && at(a).component == at(b).component; }

std::vector<NodeId> Cpg::reachable(NodeId n) const {
    std::vector<NodeId> found;
    for (uint32_t m = 1; m < nodes_.size(); ++m) {
        if (connected(n, NodeId(m))) found.push_back(NodeId(m));
    }
    return found;
}

std::vector<Cpg::Process> Cpg::members_of(const Ring& ring) const {
    std::vector<Process> members = ghosts_;
    for (NodeId n : ring.nodes) {
        if (at(n).joined && at(n).ring.get() == &ring) members.push_back({n, at(n).life});
    }
    std::sort(members.begin(), members.end());
    return members;
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
    node.busy_until = 0;
    if (power && random_.one_in(4)) node.ring_sequence = 0;
    if (node.joined) deliver_(n, event::CpgLost{});
    end_process(n);
    topology_changed();
}

void Cpg::corosync_stop(NodeId n) {
    Node& node = at(n);
    if (!node.up) return;
    if (node.joined) {
        auto ring = node.ring;
        deliver_(n, event::CpgLost{});
        end_process(n);
        if (!ring->frozen) append(ring, Item{nullptr, members_of(*ring)}, n);
    }
    corosync_down(n, false);
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
        if (lost) lose_token(at(n).ring);
        schedule_.after(random_.pick(lost ? times_.detect : times_.merge), [this, n, life = at(n).corosync_life] {
            if (at(n).corosync_life == life) settle(n);
        });
    }
}

// Until then each part of the ring goes on: a sender delivers what the others never get.
void Cpg::lose_token(const std::shared_ptr<Ring>& ring) {
    int64_t lasts = random_.pick(times_.token);
    if (lasts == 0)
        ring->frozen = true;
    else
        schedule_.after(lasts, [ring] { ring->frozen = true; });
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
        Node& node = at(n);
        if (node.ring) node.ring->frozen = true;
        node.ring = ring;
        node.cursor = 0;
        node.hole = ~size_t(0);
        node.fresh = false;
        node.last_due = schedule_.now();
        node.ring_sequence = std::max(node.ring_sequence, id.sequence);
    }
    ring->log.push_back(Item{nullptr, members_of(*ring)});
    for (NodeId n : nodes) {
        if (at(n).joined) schedule_delivery(n, 0, random_.pick(times_.view));
        if (!at(n).queue.empty()) pump(n);
    }
    tell_quorum_of(*ring);
}

// Those who move together deliver the same part of the old ring first: whatever one of them got, but for what lies
// behind a hole of all. Unless they were cut off before they knew of that ring.
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
        size_t limit = 0;
        for (NodeId n : together[ring.get()]) {
            most = std::max(most, at(n).cursor);
            limit = std::max(limit, std::min(at(n).hole, ring->log.size()));
        }
        size_t upto = size_t(random_.between(int64_t(most), int64_t(std::max(most, limit))));
        for (NodeId n : together[ring.get()]) {
            bool hidden = at(n).cursor == 0 && random_.one_in(4);
            at(n).hole = ~size_t(0);
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
        begin_process(n);
        change_members(n);
        tell_quorum_of(*at(n).ring);
    });
}

void Cpg::begin_process(NodeId n) {
    Node& node = at(n);
    node.joined = true;
    node.fresh = true;
    node.cursor = node.ring->log.size();
    node.told.clear();
    node.views.reset(n);
    node.outbox = std::make_unique<Outbox>([this, n](std::string_view) { return mcast(n); });
    node.waiting.clear();
    node.retry_us = kRetryMinUs;
}

void Cpg::end_process(NodeId n) {
    Node& node = at(n);
    ++node.life;
    node.joined = false;
    node.outbox.reset();
    node.waiting.clear();
}

void Cpg::leave(NodeId n, bool ghost) {
    Node& node = at(n);
    bool was = node.joined;
    if (was && ghost) ghosts_.push_back({n, node.life});
    end_process(n);
    while (!node.queue.empty() && random_.one_in(2)) node.queue.pop_back();  // a suffix is lost
    if (!was || !node.ring || node.ring->frozen) return;
    while (!node.queue.empty()) {
        append(node.ring, Item{node.queue.front(), {}}, n);
        node.queue.pop_front();
    }
    change_members(n);
}

void Cpg::bury(NodeId n) {
    std::erase_if(ghosts_, [n](const Process& p) { return p.node == n; });
    std::set<Ring*> done;
    for (uint32_t m = 1; m < nodes_.size(); ++m) {
        if (nodes_[m].ring && done.insert(nodes_[m].ring.get()).second) change_members(NodeId(m));
    }
}

// The ring's list of processes follows who joined; ordered with its messages.
void Cpg::change_members(NodeId n) {
    auto ring = at(n).ring;
    if (ring->frozen) return;  // the next ring's first list will tell
    append(ring, Item{nullptr, members_of(*ring)}, n);
}

void Cpg::send(NodeId n, PacketPtr packet) {
    Node& node = at(n);
    if (!node.joined) return;  // dropped, though the library says CS_OK
    if (!node.outbox->push(image(packet->header))) return;
    node.waiting.push_back(std::move(packet));
    if (!node.retrying) flush(n);
}

void Cpg::own_read(NodeId n, const Header& header) {
    if (!at(n).joined) return;
    at(n).outbox->on_delivered(image(header));
    if (!at(n).retrying) flush(n);
}

// As the daemon's CPG adapter does it.
void Cpg::flush(NodeId n) {
    Node& node = at(n);
    if (node.outbox->flush() != Outbox::Flushed::again) {
        node.retry_us = kRetryMinUs;
        return;
    }
    node.retrying = true;
    schedule_.after(node.retry_us, [this, n, life = node.life] {
        at(n).retrying = false;
        if (!at(n).joined) return;
        if (at(n).life == life && !stands_still(n)) at(n).retry_us = std::min(at(n).retry_us * 2, kRetryMaxUs);
        flush(n);
    });
}

Cs Cpg::mcast(NodeId n) {
    Node& node = at(n);
    bool synchronises = node.cursor == 0;
    if (synchronises || stands_still(n) || node.busy_until > schedule_.now() || node.queue.size() >= kQueueBusy) {
        return Cs::again;
    }
    node.queue.push_back(std::move(node.waiting.front()));
    node.waiting.pop_front();
    pump(n);
    return Cs::ok;
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

// A node that the sender does not reach gets nothing more of this ring, but what others of its next ring have.
void Cpg::append(const std::shared_ptr<Ring>& ring, Item item, NodeId sender) {
    ring->log.push_back(std::move(item));
    size_t place = ring->log.size() - 1;
    for (NodeId n : ring->nodes) {
        if (at(n).ring != ring) continue;
        if (n != sender && !connected(n, sender)) at(n).hole = std::min(at(n).hole, place);
        if (at(n).joined) schedule_delivery(n, place, n == sender ? 0 : random_.pick(times_.deliver));
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
    while (at(n).joined && at(n).ring == ring && at(n).cursor <= upto && at(n).cursor < at(n).hole) {
        hand(n, *ring, at(n).cursor++);
    }
}

// ---- callbacks of a process

void Cpg::hand(NodeId n, const Ring& ring, size_t place) {
    const Item& item = ring.log[place];
    if (item.packet) {
        hand_message(n, ring, item.packet);
    } else if (place == 0) {
        begin_ring(n, ring, item);
    } else if (at(n).fresh) {  // the first two come in either order
        at(n).fresh = false;
        bool ring_first = random_.one_in(2);
        if (ring_first) tell_ring(n, ring);
        tell_members(n, item.members, false);
        if (!ring_first) tell_ring(n, ring);
    } else {
        tell_members(n, item.members, false);
    }
}

// First those who left, then those who joined, last the ring's id. Whoever was away meanwhile is in both lists.
void Cpg::begin_ring(NodeId n, const Ring& ring, const Item& item) {
    at(n).fresh = false;
    std::vector<Process> stayed;
    std::set_intersection(at(n).told.begin(), at(n).told.end(), item.members.begin(), item.members.end(),
                          std::back_inserter(stayed));
    if (stayed.size() > 1 && random_.one_in(4)) stayed.erase(stayed.begin() + long(random_.below(stayed.size())));
    if (stayed != at(n).told) tell_members(n, stayed, true);
    if (stayed != item.members) tell_members(n, item.members, true);
    tell_ring(n, ring);
}

void Cpg::tell_members(NodeId n, const std::vector<Process>& members, bool ring_follows) {
    std::vector<NodeId> list;
    for (const Process& p : members) list.push_back(p.node);
    at(n).told = members;
    tell(n, at(n).views.on_members(std::move(list), ring_follows));
}

void Cpg::tell_ring(NodeId n, const Ring& ring) { tell(n, at(n).views.on_ring(ring.id, ring.nodes)); }

void Cpg::tell(NodeId n, const std::optional<CpgView>& view) {
    if (view) deliver_(n, event::View{view->ring, view->members});
}

void Cpg::hand_message(NodeId n, const Ring& ring, const PacketPtr& packet) {
    tell(n, at(n).views.on_message());
    NodeId from = packet->header.from;
    for (auto pair : {std::pair{from, n}, std::pair{NodeId(), n}, std::pair{from, NodeId()}}) {
        if (dropped_.count(pair)) return;
    }
    if (random_.permille(loss_)) return;
    if (size_of(packet->message) > atomic_ && (ring.frozen || random_.one_in(8))) return;
    deliver_(n, event::Received{packet->header, packet->message, true});
    if (random_.permille(duplicate_)) deliver_(n, event::Received{packet->header, packet->message, true});
}

void Cpg::drop(NodeId from, NodeId to, bool on) {
    if (on) {
        dropped_.insert({from, to});
    } else {
        dropped_.erase({from, to});
    }
}

}  // namespace assent::sim
