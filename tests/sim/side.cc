#include "side.h"

#include <algorithm>

namespace assent::sim {

// What is under way when faults end must be there in time.
constexpr int64_t kSlowestUs = 5'000'000;

Side::Side(Schedule& schedule, Random& random, const SideTimes& times, uint32_t nodes, Cpg::Deliver deliver)
    : schedule_(schedule), random_(random), times_(times), deliver_(std::move(deliver)), up_(nodes + 1),
      life_(nodes + 1), cut_(nodes + 1, std::vector<bool>(nodes + 1)),
      factor_(nodes + 1, std::vector<uint64_t>(nodes + 1, 1)) {
    for (uint32_t a = 1; a <= nodes; ++a) {
        for (uint32_t b = a + 1; b <= nodes; ++b) conns_[{NodeId(a), NodeId(b)}];
    }
}

void Side::process_up(NodeId n) {
    up_[n.value] = true;
    ++life_[n.value];
    for (auto& [pair, conn] : conns_) {
        if (pair.first != n && pair.second != n) continue;
        break_connection(pair.first, pair.second);  // of the life before, if its end was not noticed yet
        check_later(pair);
    }
}

void Side::process_down(NodeId n) {
    if (!up_[n.value]) return;
    up_[n.value] = false;
    ++life_[n.value];
    for (auto& [pair, conn] : conns_) {
        if (pair.first == n || pair.second == n) break_connection(pair.first, pair.second);
    }
}

void Side::power_lost(NodeId n) {
    if (!up_[n.value]) return;
    up_[n.value] = false;
    ++life_[n.value];
    for (auto& [pair, conn] : conns_) {
        if (pair.first != n && pair.second != n) continue;
        ++conn.generation;  // what is under way is lost
        check_later(pair);
    }
}

void Side::break_connection(NodeId a, NodeId b) {
    Conn& conn = conns_.at(pair_of(a, b));
    if (!conn.up) return;
    conn.up = false;
    ++conn.generation;
    tell(a);
    tell(b);
    check_later(pair_of(a, b));
}

void Side::set_reach(NodeId from, NodeId to, bool on) {
    if (cut_[from.value][to.value] == !on) return;
    cut_[from.value][to.value] = !on;
    check_later(pair_of(from, to));
}

void Side::check_later(Pair pair) {
    Conn& conn = conns_.at(pair);
    if (conn.checking) return;
    conn.checking = true;
    schedule_.after(random_.pick(conn.up ? times_.detect : times_.connect), [this, pair] { check(pair); });
}

void Side::check(Pair pair) {
    Conn& conn = conns_.at(pair);
    conn.checking = false;
    auto [a, b] = pair;
    bool can = up_[a.value] && up_[b.value] && reaches(a, b) && reaches(b, a);
    if (can == conn.up) return;
    conn.up = can;
    ++conn.generation;
    conn.last_due[0] = conn.last_due[1] = 0;
    tell(a);
    tell(b);
}

void Side::tell(NodeId n) {
    if (!up_[n.value]) return;
    schedule_.after(random_.pick(times_.tell), [this, n, life = life_[n.value]] {
        if (life_[n.value] != life) return;
        event::Links links;
        for (const auto& [pair, conn] : conns_) {
            if (conn.up && pair.first == n) links.up.push_back(pair.second);
            if (conn.up && pair.second == n) links.up.push_back(pair.first);
        }
        std::sort(links.up.begin(), links.up.end());
        deliver_(n, std::move(links));
    });
}

void Side::send(NodeId from, NodeId to, PacketPtr packet) {
    if (from == to || to.value >= up_.size() || !to) return;
    Conn& conn = conns_.at(pair_of(from, to));
    if (!conn.up) return;
    int64_t& last = conn.last_due[from < to ? 0 : 1];
    int64_t takes = random_.pick(times_.deliver) * int64_t(factor_[from.value][to.value]);
    takes = std::min(takes, kSlowestUs);
    last = std::max(last, schedule_.now() + takes);
    schedule_.after(last - schedule_.now(),
                    [this, from, to, packet, generation = conn.generation] { arrive(from, to, packet, generation); });
}

void Side::arrive(NodeId from, NodeId to, PacketPtr packet, uint64_t generation) {
    Conn& conn = conns_.at(pair_of(from, to));
    if (conn.generation != generation || !up_[to.value]) return;
    if (!reaches(from, to)) {
        break_connection(from, to);  // what stands in the way of order is not waited for
        return;
    }
    deliver_(to, event::Received{packet->header, packet->message, false});
}

}  // namespace assent::sim
