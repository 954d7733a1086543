#include "disk_faults.h"

#include <string>

namespace assent::sim {
namespace {

using Op = ledger::FaultEnv::Op;

constexpr Span kDown{1'000, 3'000'000};

void say(World& world, NodeId n, const std::string& what) {
    world.note("nemesis: disk of node " + std::to_string(n.value) + ": " + what);
}

void slow_or_hanging(World& world, NodeId n, Random& random) {
    Disk& disk = world.node(n).disk();
    const int64_t us = random.between(10'000, 3'000'000);
    if (random.one_in(2)) {
        say(world, n, "hangs for " + std::to_string(us / 1000) + " ms");
        disk.hang(us);
        return;
    }
    say(world, n, "is slow for " + std::to_string(us / 1000) + " ms");
    disk.slow_down(uint64_t(random.between(20, 500)));
    world.schedule().after(us, [&disk] { disk.slow_down(1); });
}

void failing(World& world, NodeId n, Random& random) {
    static constexpr Op kOps[] = {Op::write, Op::write,  Op::sync,   Op::sync,
                                  Op::open,  Op::rename, Op::unlink, Op::sync_dir};
    static constexpr const char* kNames[] = {"open", "write", "sync", "rename", "unlink", "sync of the folder"};
    const Op op = kOps[random.below(std::size(kOps))];
    const auto nth = uint64_t(random.between(1, 12));
    say(world, n, std::string("a coming ") + kNames[size_t(op)] + " fails");
    world.node(n).disk().fail(op, nth);
}

void full(World& world, NodeId n, Random& random) {
    Disk& disk = world.node(n).disk();
    const uint64_t room = random.one_in(2) ? 0 : random.below(20'000);
    say(world, n, "has room for " + std::to_string(room) + " bytes");
    disk.fill(room);
    world.schedule().after(random.between(10'000, 5'000'000), [&disk] { disk.fill(UINT64_MAX); });
}

void cut_short(World& world, NodeId n, Random& random) {
    const bool power = random.one_in(2);
    say(world, n,
        power ? "power is to go in the middle of its work" : "the daemon is to die in the middle of its work");
    world.node(n).disk().end_at(uint64_t(random.between(1, 20)), power ? Disk::End::power : Disk::End::kill);
}

// Much is written at once and lost in part; and what comes in its place is cut short too.
void cut_short_twice(World& world, NodeId n, Random& random) {
    say(world, n, "power is to go in the middle of much work, and once more soon after");
    Disk& disk = world.node(n).disk();
    disk.hang(random.between(50'000, 800'000));
    random.one_in(2) ? disk.lose_a_batch() : disk.end_at(uint64_t(random.between(1, 4)), Disk::End::power);
    disk.then_end_at(uint64_t(random.between(8, 40)), random.one_in(4) ? Disk::End::power : Disk::End::kill);
}

// A start begins with a write of both copies of the ballot.
void failing_starts(World& world, NodeId n, Random& random) {
    say(world, n, "coming starts fail in a write");
    std::vector<uint64_t> nth;
    for (uint64_t i = random.between(2, 4); i > 0; --i) nth.push_back(random.between(1, 3));
    world.node(n).disk().fail_starts(std::move(nth));
    world.node(n).stop();
    world.node(n).boot_later(random.pick(kDown));
}

void power_off_for_a_while(World& world, NodeId n, Random& random) {
    world.power_off(n);
    world.node(n).boot_later(random.pick(kDown));
}

void damaged(World& world, NodeId n, Random& random) {
    if (!world.may_lose(n) || world.lost(n)) return;
    const std::string what = world.node(n).disk().damage();
    if (what.empty()) return;
    world.lose(n);
    say(world, n, what);
    if (random.one_in(2)) power_off_for_a_while(world, n, random);
}

// A new disk, or (of a ledger that was refused) what the operator does about it.
void wiped(World& world, NodeId n, Random& random) {
    if (!world.may_lose(n)) return;
    world.lose(n);
    say(world, n, "is wiped");
    world.power_off(n);
    world.node(n).wipe();
    world.node(n).boot_later(random.pick(kDown));
}

}  // namespace

void strike(World& world, NodeId n, Random& random) {
    switch (random.below(17)) {
        case 0:
        case 1:
        case 2: slow_or_hanging(world, n, random); break;
        case 3:
        case 4: failing(world, n, random); break;
        case 5:
        case 6: full(world, n, random); break;
        case 7:
        case 8:
        case 9: cut_short(world, n, random); break;
        case 10: damaged(world, n, random); break;
        case 12:
        case 13:
        case 14:
        case 15: cut_short_twice(world, n, random); break;
        case 16: failing_starts(world, n, random); break;
        case 11: random.one_in(4) ? wiped(world, n, random) : damaged(world, n, random); break;
    }
}

void mend(World& world, NodeId n) { world.node(n).disk().mend(); }

}  // namespace assent::sim
