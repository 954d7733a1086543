#include "world.h"

#include <cstdio>

namespace assent::sim {
namespace {

constexpr size_t kLinesKept = 120;

}  // namespace

World::World(const Setup& setup)
    : setup_(setup), random_(setup.seed), cpg_random_(setup.seed ^ 0xc96), side_random_(setup.seed ^ 0x51de) {
    auto deliver = [this](NodeId n, Event event) { node(n).give(std::move(event)); };
    cpg_ = std::make_unique<Cpg>(schedule_, cpg_random_, setup_.cpg, setup_.nodes, deliver);
    side_ = std::make_unique<Side>(schedule_, side_random_, setup_.side, setup_.nodes, deliver);
    std::vector<uint32_t> votes{0};
    for (uint32_t n = 1; n <= setup_.nodes; ++n) {
        votes.push_back(setup_.votes.empty() ? 1 : setup_.votes[n - 1]);
        nodelist_.push_back({NodeId(n), votes.back()});
    }
    cpg_->set_votes(votes, setup_.quorate_lies);
    cpg_->set_atomic(setup_.atomic_bytes);
    cpg_->stands_still = [this](NodeId n) { return node(n).paused(); };
    for (uint32_t n = 1; n <= setup_.nodes; ++n) {
        ClockRates rates;
        if (setup_.clock_ppm) rates.raw_ppm = random_.between(-setup_.clock_ppm, setup_.clock_ppm);
        if (setup_.clocks_at_bounds) rates.raw_ppm = rates.raw_ppm < 0 ? -setup_.clock_ppm : setup_.clock_ppm;
        nodes_.push_back(std::make_unique<Node>(*this, NodeId(n), setup_.options, rates));
    }
}

World::~World() = default;

void World::boot(NodeId n) {
    start_corosync(n);
    node(n).start();
}

void World::power_off(NodeId n) {
    cpg_->corosync_down(n, true);  // first: nobody is told that the process left
    side_->power_lost(n);
    node(n).power_loss();
    node(n).reboot_clock();
}

void World::kill_as_ghost(NodeId n) {
    cpg_->leave(n, true);
    node(n).stop();
}

bool World::may_lose(NodeId n) const {
    if (!cluster_.decided()) return false;  // the founding needs everybody
    uint64_t all = 0;
    uint64_t gone = 0;
    for (const ListedNode& listed : nodelist_) {
        all += listed.votes;
        if (listed.node == n || lost(listed.node)) gone += listed.votes;
    }
    return 2 * gone < all;
}

void World::start_corosync(NodeId n) {
    if (cpg_->is_up(n)) return;
    cpg_->corosync_up(n);
    if (node(n).running()) cpg_->join(n);
}

void World::hang_application(NodeId n, bool on) {
    if (node(n).app().hung() == on) return;
    node(n).app().hang(on);
    schedule_.after(random_.pick({1'000, 2'000'000}), [this, n] {
        if (node(n).running()) node(n).give(event::Application{!node(n).app().hung()});
    });
}

void World::split(const std::vector<uint32_t>& component_of_node) {
    cpg_->set_components(component_of_node);
    for (uint32_t a = 1; a <= setup_.nodes; ++a) {
        for (uint32_t b = 1; b <= setup_.nodes; ++b) {
            if (a != b) side_->set_reach(NodeId(a), NodeId(b), component_of_node[a] == component_of_node[b]);
        }
    }
}

void World::heal() { split(std::vector<uint32_t>(setup_.nodes + 1, 0)); }

bool World::run(int64_t until_us, const std::function<bool()>& enough) {
    while (!failed()) {
        if (enough && enough()) return true;
        if (!schedule_.run_one(until_us)) return false;
    }
    return false;
}

void World::compare(NodeId n, Index index, bool is_state, uint64_t digest) {
    const auto [at, fresh] = digests_.emplace(std::pair(index, is_state), digest);
    if (fresh || at->second == digest) return;
    fail(Kind::safety, "I7: the application of node " + std::to_string(n.value) + " has another " +
                           (is_state ? "state after " : "result at ") + std::to_string(index.value) +
                           " than was seen before");
}

void World::voted(Node& voter, Epoch epoch, NodeId candidate) {
    for (const auto& other : nodes_) {
        if (!other->running() || other->id() == candidate || !other->replica().is_master()) continue;
        const ReplicaView master = other->view();
        if (master.master_epoch >= epoch) continue;
        for (const Voter& v : other->replica().lease_voters(other->clock())) {
            if (v.node != voter.id() || v.ledger != voter.view().state.ledger) continue;
            fail(Kind::safety, "R8: node " + std::to_string(v.node.value) + " votes in epoch " +
                                   std::to_string(epoch.value) + " while its grant makes the lease of node " +
                                   std::to_string(other->id().value) + ", master of epoch " +
                                   std::to_string(master.master_epoch.value));
        }
    }
}

void World::leased(Node& master) {
    const Epoch epoch = master.view().master_epoch;
    for (const Voter& v : master.replica().lease_voters(master.clock())) {
        if (v.node == master.id() || granted_[v.node] >= epoch) continue;
        fail(Kind::safety, "R8: node " + std::to_string(master.id().value) + " counts a grant of node " +
                               std::to_string(v.node.value) + ", which granted nothing in epoch " +
                               std::to_string(epoch.value));
    }
}

Node* World::master() {
    Node* newest = nullptr;
    Epoch epoch;
    for (const auto& node : nodes_) {
        if (!node->running() || !node->replica().is_master()) continue;
        const Epoch of = node->view().master_epoch;
        if (newest && of < epoch) continue;
        newest = node.get();
        epoch = of;
    }
    return newest;
}

void World::stepped(NodeId n, size_t event_kind, const Update& update) {
    ++steps_;
    mix(uint64_t(schedule_.now()) * 31 + event_kind * 7 + n.value);
    mix(update.messages.size() * 131 + update.verdicts.size() * 17 + update.answers.size());
    for (const std::string& line : update.decisions) note("node " + std::to_string(n.value) + ": " + line);
}

void World::note(const std::string& line) {
    for (char c : line) mix(uint8_t(c));
    char when[32];
    std::snprintf(when, sizeof when, "%10.6f ", double(schedule_.now()) / 1e6);
    lines_.push_back(when + line);
    if (lines_.size() > kLinesKept) lines_.pop_front();
    if (setup_.trace) std::printf("%s\n", lines_.back().c_str());
    if (decided) decided(line);
}

void World::fail(Kind kind, const std::string& what) {
    if (failed()) return;
    failure_ = kind;
    what_ = what;
}

}  // namespace assent::sim
