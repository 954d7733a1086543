#include "strike.h"

#include <iterator>

namespace assent::sim {
namespace {

struct KindRow {
    const char* name;
    uint32_t weight;
};

// In the order of StrikeKind.
constexpr KindRow kKinds[] = {
    {"split", 20},
    {"heal", 20},
    {"hidden view", 12},
    {"kill", 12},
    {"power", 12},
    {"power everywhere", 3},
    {"corosync killed", 8},
    {"corosync stopped", 5},
    {"corosync blinks", 6},
    {"pause", 8},
    {"suspend", 5},
    {"slow process", 6},
    {"slow disk", 10},
    {"disk", 20},
    {"application hangs", 10},
    {"application started again", 10},
    {"application rejects all", 8},
    {"link cut", 8},
    {"link broken", 5},
    {"link slow", 6},
    {"CPG busy", 6},
    {"CPG noise", 8},
    {"ghost", 5},
    {"quorum lies", 8},
    {"move master", 10},
    {"clock drift", 3},
    {"lonely master", 12},
    {"quick masters", 6},
};
static_assert(std::size(kKinds) == kStrikeKinds);

constexpr Span kPaces[] = {{1'000, 200'000}, {50'000, 1'000'000}, {500'000, 4'000'000}};

std::vector<uint32_t> choose_weights(Random& random) {
    std::vector<uint32_t> weights;
    uint64_t left_out = random.below(4);  // of four
    for (const KindRow& row : kKinds) weights.push_back(random.below(4) < left_out ? 0 : row.weight);
    weights[size_t(StrikeKind::heal)] = kKinds[size_t(StrikeKind::heal)].weight;
    return weights;
}

StrikeKind choose_kind(Random& random, const std::vector<uint32_t>& weights) {
    uint64_t all = 0;
    for (uint32_t w : weights) all += w;
    uint64_t place = random.below(all);
    size_t kind = 0;
    while (place >= weights[kind]) place -= weights[kind++];
    return StrikeKind(kind);
}

}  // namespace

const char* name(StrikeKind kind) { return kKinds[size_t(kind)].name; }

std::vector<Strike> draw_strikes(uint64_t seed, uint32_t nodes, int64_t lasts_us) {
    Random random(seed ^ 0x57121ce5);
    Span pace = kPaces[random.below(3)];
    std::vector<uint32_t> weights = choose_weights(random);
    std::vector<Strike> strikes;
    int64_t at = 0;
    for (;;) {
        at += random.pick(pace);
        if (at >= lasts_us) return strikes;
        Strike s;
        s.number = uint32_t(strikes.size() + 1);
        s.at_us = at;
        s.kind = choose_kind(random, weights);
        s.node = NodeId(uint32_t(1 + random.below(nodes)));
        s.seed = random.next();
        strikes.push_back(s);
    }
}

}  // namespace assent::sim
