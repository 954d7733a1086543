#include "nemesis.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/planted.h"
#include "disk_faults.h"

namespace assent::sim {
namespace {

uint64_t carried_out = 0;  // by all runs of this process

std::string num(uint64_t n) { return std::to_string(n); }
std::string num(NodeId n) { return std::to_string(n.value); }
std::string ms(int64_t us) { return std::to_string(us / 1000) + " ms"; }

}  // namespace

Nemesis::Nemesis(World& world, std::vector<Strike> strikes) : world_(world), strikes_(std::move(strikes)) {}

void Nemesis::later(int64_t delay, std::function<void()> what) {
    world_.schedule().after(delay, [this, what = std::move(what)] {
        if (!stopped_) what();
    });
}

void Nemesis::start() {
    for (const Strike& strike : strikes_) {
        later(strike.at_us, [this, strike] { carry_out(strike); });
    }
}

void Nemesis::carry_out(const Strike& strike) {
    ++counts_[size_t(strike.kind)];
    note("strike " + num(strike.number) + ": " + name(strike.kind) + ", node " + num(strike.node));
    self_test(strike);
    Random random(strike.seed);
    bool known = strike_network(strike, random) || strike_link(strike, random) || strike_host(strike, random) ||
                 strike_application(strike, random) || strike_corosync(strike, random) ||
                 strike_around(strike, random) || strike_master(strike, random);
    if (!known) world_.fail(Kind::safety, "the nemesis does not know this strike");
}

// Failures of known cause, chosen by --mutant: tests of the simulator itself.
void Nemesis::self_test(const Strike& strike) {
    if (ASSENT_MUTANT(self_crash) && strike.kind == StrikeKind::kill) std::abort();
    if (ASSENT_MUTANT(self_different)) world_.mix(++carried_out);
    bool both = counts_[size_t(StrikeKind::kill)] && counts_[size_t(StrikeKind::slow_disk)];
    if (ASSENT_MUTANT(self_two_strikes) && both) world_.fail(Kind::safety, "self: two strikes met");
    if (ASSENT_MUTANT(self_liveness) && both) world_.fail(Kind::liveness, "self: two strikes met");
}

// ---- the network

bool Nemesis::strike_network(const Strike& strike, Random& random) {
    switch (strike.kind) {
        case StrikeKind::split: split(random); return true;
        case StrikeKind::heal: world_.heal(); return true;
        case StrikeKind::hidden_view: {
            split(random);
            bool heals = random.one_in(2);
            later(random.between(100, 400'000), [this, heals, seed = random.next()] {
                Random again(seed);
                heals ? world_.heal() : split(again);
            });
            return true;
        }
        default: return false;
    }
}

void Nemesis::split(Random& random) {
    std::vector<uint32_t> component{0};
    uint64_t parts = random.between(2, 3);
    std::string line = "parts";
    for (uint32_t n = 1; n <= world_.size(); ++n) {
        component.push_back(uint32_t(random.below(parts)));
        line += " " + num(component.back());
    }
    note(line);
    random.one_in(4) ? world_.cpg().set_components(component) : world_.split(component);
}

bool Nemesis::strike_link(const Strike& strike, Random& random) {
    NodeId a = strike.node;
    NodeId b(uint32_t(1 + random.below(world_.size())));
    int64_t lasts = random.between(10'000, 5'000'000);
    switch (strike.kind) {
        case StrikeKind::break_link:
            if (a != b) world_.side().break_connection(a, b);
            return true;
        case StrikeKind::slow_link:
            world_.side().slow_down(a, b, uint64_t(random.between(10, 1'000)));
            later(lasts, [this, a, b] { world_.side().slow_down(a, b, 1); });
            return true;
        case StrikeKind::cut_link: {
            if (a == b) return true;
            bool both = random.one_in(2);
            world_.side().set_reach(a, b, false);
            if (both) world_.side().set_reach(b, a, false);
            later(lasts, [this, a, b] {
                world_.side().set_reach(a, b, true);
                world_.side().set_reach(b, a, true);
            });
            return true;
        }
        default: return false;
    }
}

// ---- one host

bool Nemesis::strike_host(const Strike& strike, Random& random) {
    NodeId n = strike.node;
    int64_t lasts = random.between(1'000, 4'000'000);
    switch (strike.kind) {
        case StrikeKind::kill:
            world_.node(n).stop();
            later(random.between(100, 2'000'000), [this, n] { world_.boot(n); });
            return true;
        case StrikeKind::power: power(n, lasts); return true;
        case StrikeKind::power_all:
            for (uint32_t m = 1; m <= world_.size(); ++m) power(NodeId(m), random.between(1'000, 4'000'000));
            return true;
        case StrikeKind::pause: world_.node(n).pause(lasts); break;
        case StrikeKind::suspend: world_.node(n).suspend(lasts); break;
        case StrikeKind::slow_process:
            world_.node(n).slow_down(random.between(10, 1'000));
            later(lasts, [this, n] { world_.node(n).slow_down(1); });
            break;
        case StrikeKind::slow_disk:
            world_.node(n).disk().slow_down(uint64_t(random.between(20, 500)));
            later(lasts, [this, n] { world_.node(n).disk().slow_down(1); });
            break;
        case StrikeKind::disk: sim::strike(world_, n, random); return true;
        default: return false;
    }
    note("for " + ms(lasts));
    return true;
}

// ---- the application of one host; a built-in one is never alone, and takes everything

bool Nemesis::strike_application(const Strike& strike, Random& random) {
    NodeId n = strike.node;
    int64_t lasts = random.between(1'000, 4'000'000);
    bool attached = !world_.setup().options.accept_at_once;
    switch (strike.kind) {
        case StrikeKind::hang_application:
            world_.hang_application(n, true);
            later(lasts, [this, n] { world_.hang_application(n, false); });
            return true;
        case StrikeKind::restart_application:
            if (attached) world_.node(n).restart_application();
            return true;
        case StrikeKind::reject_all:
            if (attached) world_.node(n).app().stubborn(true);
            later(lasts, [this, n] { world_.node(n).app().stubborn(false); });
            return true;
        default: return false;
    }
}

void Nemesis::power(NodeId n, int64_t off_us) {
    world_.power_off(n);
    later(off_us, [this, n] { world_.boot(n); });
}

// ---- corosync

bool Nemesis::strike_corosync(const Strike& strike, Random& random) {
    NodeId n = strike.node;
    switch (strike.kind) {
        case StrikeKind::corosync_kill:
            world_.crash_corosync(n);
            later(random.between(100, 3'000'000), [this, n] { world_.start_corosync(n); });
            return true;
        case StrikeKind::corosync_stop:
            world_.stop_corosync(n);
            later(random.between(100, 3'000'000), [this, n] { world_.start_corosync(n); });
            return true;
        case StrikeKind::corosync_blink:
            world_.crash_corosync(n);
            later(random.between(10, 20'000), [this, n] { world_.start_corosync(n); });
            return true;
        case StrikeKind::ghost:
            world_.kill_as_ghost(n);
            later(random.between(100, 2'000'000), [this, n] { world_.boot(n); });
            later(random.between(100, 5'000'000), [this, n] { world_.bury(n); });
            return true;
        case StrikeKind::cpg_busy: world_.cpg().set_busy(n, random.between(1'000, 4'000'000)); return true;
        case StrikeKind::cpg_noise: {
            uint32_t loss = uint32_t(random.below(100));
            world_.cpg().set_noise(loss, uint32_t(random.below(100)));
            later(random.between(10'000, 1'000'000), [this] { world_.cpg().set_noise(0, 0); });
            return true;
        }
        case StrikeKind::quorum_lies:
            if (world_.node(n).running()) world_.cpg().tell_quorum(n, random.one_in(2));
            return true;
        default: return false;
    }
}

// ---- what is no fault of a machine

bool Nemesis::strike_around(const Strike& strike, Random& random) {
    switch (strike.kind) {
        case StrikeKind::move_master: move_master(random.one_in(2) ? strike.node : NodeId()); return true;
        case StrikeKind::clock_drift: {
            int64_t most = world_.setup().clock_ppm;
            world_.node(strike.node).drift(random.between(-most, most));
            return true;
        }
        default: return false;
    }
}

// ---- the master, whoever it is: where leases and rounds have to hold

bool Nemesis::strike_master(const Strike& strike, Random& random) {
    if (strike.kind != StrikeKind::lonely_master && strike.kind != StrikeKind::quick_masters) return false;
    Node* master = world_.master();
    if (!master) return true;
    strike.kind == StrikeKind::lonely_master ? lonely_master(*master, random) : quick_masters(*master, random);
    return true;
}

void Nemesis::lonely_master(Node& master, Random& random) {
    const NodeId n = master.id();
    const int64_t lasts = random.between(100'000, 3'000'000);
    switch (random.below(4)) {
        case 0:
        case 1: master.pause(lasts); break;
        case 2: master.suspend(lasts); break;
        case 3:
            master.slow_down(random.between(100, 5'000));
            later(lasts, [this, n] { world_.node(n).slow_down(1); });
            break;
    }
    std::vector<uint32_t> alone(world_.size() + 1, 0);
    alone[n.value] = 1;
    const uint64_t cut = random.below(3);
    if (cut == 1) world_.cpg().set_components(alone);
    if (cut == 2) world_.split(alone);
    if (cut != 0) later(lasts + random.between(-50'000, 1'000'000), [this] { world_.heal(); });
    note("node " + num(n) + " for " + ms(lasts) + (cut == 0 ? "" : cut == 1 ? ", alone in CPG" : ", alone"));
    // A voter that forgets what it granted.
    const NodeId voter(uint32_t(1 + random.below(world_.size())));
    if (voter == n || random.one_in(2)) return;
    const int64_t forgets = random.between(1'000, 200'000);
    later(forgets, [this, voter] { world_.node(voter).stop(); });
    later(forgets + random.between(100, 50'000), [this, voter] { world_.boot(voter); });
}

void Nemesis::quick_masters(Node& master, Random& random) {
    const NodeId slow(uint32_t(1 + random.below(world_.size())));
    const NodeId n = master.id();
    const NodeId other(uint32_t(1 + random.below(world_.size())));
    bool back = false;
    const int64_t lasts = random.between(500'000, 3'000'000);
    world_.side().slow_down(slow, n, uint64_t(random.between(10, 5'000)));
    later(lasts, [this, slow, n] { world_.side().slow_down(slow, n, 1); });
    for (int64_t at = 0; at < lasts; at += random.between(50'000, 600'000)) {
        later(at, [this, target = back ? n : other] { move_master(target); });
        back = !back;
    }
}

void Nemesis::move_master(NodeId target) {
    for (uint32_t m = 1; m <= world_.size(); ++m) {
        if (world_.node(NodeId(m)).running()) {
            world_.node(NodeId(m)).give(event::MoveMaster{Token(++tokens_), target});
        }
    }
}

void Nemesis::stop(const std::vector<NodeId>& stay_off) {
    stopped_ = true;
    note("no more faults");
    world_.cpg().set_noise(0, 0);
    world_.heal();
    for (uint32_t m = 1; m <= world_.size(); ++m) {
        NodeId n(m);
        if (std::find(stay_off.begin(), stay_off.end(), n) != stay_off.end()) {
            note("node " + num(n) + " stays off");
            world_.power_off(n);
            continue;
        }
        world_.node(n).resume();
        world_.node(n).slow_down(1);
        world_.bury(n);
        world_.cpg().set_busy(n, 0);
        for (uint32_t peer = 1; peer <= world_.size(); ++peer) world_.side().slow_down(n, NodeId(peer), 1);
        mend(world_, n);
        world_.hang_application(n, false);
        world_.node(n).app().stubborn(false);
        world_.boot(n);
        world_.cpg().refresh_quorum(n);
    }
}

}  // namespace assent::sim
