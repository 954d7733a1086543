#include "nemesis.h"

#include <algorithm>
#include <string>

namespace assent::sim {

Nemesis::Nemesis(World& world) : world_(world), random_(world.random()) {
    static constexpr Span kPaces[] = {{1'000, 200'000}, {50'000, 1'000'000}, {500'000, 4'000'000}};
    pace_ = kPaces[random_.below(3)];
}

void Nemesis::later(int64_t delay, std::function<void()> what) {
    world_.schedule().after(delay, [this, what = std::move(what)] {
        if (!stopped_) what();
    });
}

void Nemesis::start() { next(); }

void Nemesis::next() {
    later(random_.pick(pace_), [this] {
        strike();
        next();
    });
}

void Nemesis::strike() {
    NodeId n = world_.any_node();
    std::string id = std::to_string(n.value);
    switch (random_.below(16)) {
        case 0:
        case 1: split(); break;
        case 2:
        case 3:
            world_.note("nemesis: the network is whole");
            world_.heal();
            break;
        case 4: end_daemon(n); break;
        case 5: power(n); break;
        case 6: end_corosync(n); break;
        case 7: {
            int64_t us = random_.between(1'000, 3'000'000);
            world_.note("nemesis: node " + id + " stands still for " + std::to_string(us / 1000) + " ms");
            random_.one_in(3) ? world_.node(n).suspend(us) : world_.node(n).pause(us);
            break;
        }
        case 8:
            world_.note("nemesis: the disk of node " + id + " is slow");
            world_.node(n).disk().slow_down(uint64_t(random_.between(20, 500)));
            later(random_.between(10'000, 3'000'000), [this, n] { world_.node(n).disk().slow_down(1); });
            break;
        case 9:
            world_.note("nemesis: the application of node " + id + " hangs");
            world_.hang_application(n, true);
            later(random_.between(10'000, 4'000'000), [this, n] { world_.hang_application(n, false); });
            break;
        case 10: cut_link(); break;
        case 11:
            if (!random_.one_in(4)) break;
            world_.note("nemesis: power is gone everywhere");
            for (uint32_t m = 1; m <= world_.size(); ++m) power(NodeId(m));
            break;
        case 12:
            for (uint32_t m = 1; m <= world_.size(); ++m) {
                if (!world_.node(NodeId(m)).running()) continue;
                world_.node(NodeId(m)).give(event::MoveMaster{Token(++tokens_), random_.one_in(2) ? n : NodeId()});
            }
            break;
        case 13:
            world_.note("nemesis: CPG loses and repeats messages");
            world_.cpg().set_noise(uint32_t(random_.below(100)), uint32_t(random_.below(100)));
            later(random_.between(10'000, 1'000'000), [this] { world_.cpg().set_noise(0, 0); });
            break;
        case 14:
            world_.note("nemesis: quorum flag of node " + id + " lies");
            if (world_.node(n).running()) world_.cpg().tell_quorum(n, random_.one_in(2));
            break;
        case 15:  // a view that nobody may get to see
            split();
            later(random_.between(100, 400'000), [this] { random_.one_in(2) ? world_.heal() : split(); });
            break;
    }
}

void Nemesis::split() {
    std::vector<uint32_t> component{0};
    uint64_t parts = random_.between(2, 3);
    std::string line = "nemesis: split";
    for (uint32_t n = 1; n <= world_.size(); ++n) {
        component.push_back(uint32_t(random_.below(parts)));
        line += " " + std::to_string(component.back());
    }
    world_.note(line);
    random_.one_in(4) ? world_.cpg().set_components(component) : world_.split(component);
}

void Nemesis::cut_link() {
    NodeId a = world_.any_node();
    NodeId b = world_.any_node();
    if (a == b) return;
    bool both = random_.one_in(2);
    world_.note("nemesis: link from " + std::to_string(a.value) + " to " + std::to_string(b.value) + " is cut");
    if (random_.one_in(3)) {
        world_.side().break_connection(a, b);
        return;
    }
    world_.side().set_reach(a, b, false);
    if (both) world_.side().set_reach(b, a, false);
    later(random_.between(10'000, 5'000'000), [this, a, b] {
        world_.side().set_reach(a, b, true);
        world_.side().set_reach(b, a, true);
    });
}

void Nemesis::end_daemon(NodeId n) {
    world_.note("nemesis: kill -9 on node " + std::to_string(n.value));
    world_.node(n).stop();
    later(random_.between(100, 2'000'000), [this, n] { world_.boot(n); });
}

void Nemesis::end_corosync(NodeId n) {
    world_.note("nemesis: corosync dies on node " + std::to_string(n.value));
    world_.crash_corosync(n);
    later(random_.between(100, 3'000'000), [this, n] { world_.start_corosync(n); });
}

void Nemesis::power(NodeId n) {
    world_.note("nemesis: power is gone on node " + std::to_string(n.value));
    world_.power_off(n);
    later(random_.between(1'000, 4'000'000), [this, n] { world_.boot(n); });
}

void Nemesis::stop(const std::vector<NodeId>& stay_off) {
    stopped_ = true;
    world_.note("nemesis: no more faults");
    world_.cpg().set_noise(0, 0);
    world_.heal();
    for (uint32_t m = 1; m <= world_.size(); ++m) {
        NodeId n(m);
        if (std::find(stay_off.begin(), stay_off.end(), n) != stay_off.end()) {
            world_.note("nemesis: node " + std::to_string(m) + " stays off");
            world_.power_off(n);
            continue;
        }
        world_.node(n).resume();
        world_.node(n).disk().slow_down(1);
        world_.hang_application(n, false);
        world_.boot(n);
        world_.cpg().refresh_quorum(n);
    }
}

}  // namespace assent::sim
