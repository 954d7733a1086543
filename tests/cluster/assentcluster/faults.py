"""What the nemesis does to a cluster. A fault has a begin and an end; what it needs for itself stands in `claims`, so that
no two that run at once contradict each other. All that is random comes from the schedule's generator."""

import os
import random
import shutil
import signal
import time
from dataclasses import dataclass, field
from typing import Callable

from . import shim as disk
from . import small_disk
from .wait import wait_for

EVERYTHING = "everything"


@dataclass
class Fault:
    """`begin` and `end` are given the Site; a fault that needs nothing undone has no end."""

    at: float  # seconds after the first
    seconds: float
    text: str
    claims: frozenset[str]
    begin: Callable
    end: Callable = field(default=lambda site: None)

    def conflicts(self, other):
        both = self.claims | other.claims
        return EVERYTHING in both or bool(self.claims & other.claims)


class Site:
    """The cluster as faults see it: who is down because somebody asked for it, and the tools."""

    def __init__(self, cluster, shims, small, log):
        self.cluster = cluster
        self.shims = shims
        self.small = small  # the node with the small disk
        self.log = log
        self.down = set()  # processes that shall not run now
        self.bad_disk = set()  # nodes whose assentd may end by itself

    def process(self, node, kind):
        host = self.cluster[node]
        return host.daemon if kind == "assentd" else host.corosync

    def kill(self, node, kind):
        process = self.process(node, kind)
        self.down.add(process)
        if process.alive:
            process.kill()

    def start(self, node, kind):
        process = self.process(node, kind)
        self.down.discard(process)
        if not process.alive:
            process.start()

    def roll_back(self, node, rng):
        dropped = self.shims[node].roll_back(rng)
        self.log(f"node {node}: {dropped} writes that were not synced are gone")

    def ledger(self, node):
        """Its folder as the host sees it: a small disk is mounted there, not here."""
        return self.cluster[node].namespaces.path(f"{disk.STATE}/kv")

    def start_or_put_back(self, node, kept):
        """Starts assentd. What the disk lied about may be a whole segment, and the state names it: then the daemon must refuse,
        and the ledger is put back as it was. (A new one would be an observer's, and the next fault cost the majority.)"""
        daemon = self.cluster[node].daemon
        self.start(node, "assentd")
        wait_for(lambda: not daemon.alive or self.cluster[node].status(), 60, f"node {node}'s daemon to work or to refuse")
        if not daemon.alive:
            last = "".join(daemon.log_tail(1))
            assert daemon.exit_code > 0 and " is damaged at offset " in last, f"{daemon.name} has ended: {last}"
            self.log(f"node {node} refuses its ledger, as it must: {last.strip()[:100]}; it is put back")
            shutil.rmtree(self.ledger(node))
            shutil.copytree(kept, self.ledger(node))
            daemon.start()
        shutil.rmtree(kept)


# Processes ------------------------------------------------------------------------------------------------------------
def claims_of(nodes, kinds):
    return frozenset(f"{kind} {node}" for node in nodes for kind in kinds)


def some_nodes(rng, size):
    """One mostly, sometimes several, sometimes all."""
    count = rng.choices((1, 2, size), (80, 12, 8))[0]
    return sorted(rng.sample(range(1, size + 1), min(count, size)))


def names(nodes):
    return "node " + str(nodes[0]) if len(nodes) == 1 else "nodes " + ", ".join(map(str, nodes))


def kill(rng, size):
    """kill -9, and a start some time later; what was not synced is gone, or not."""
    nodes = some_nodes(rng, size)
    kinds = rng.choices((("assentd",), ("corosync",), ("corosync", "assentd")), (60, 20, 20))[0]
    tail = "assentd" in kinds and rng.random() < 0.6
    own = random.Random(rng.random())

    def begin(site):
        for node in nodes:
            for kind in kinds:
                site.kill(node, kind)
        if tail:
            for node in nodes:
                site.roll_back(node, own)

    def end(site):
        for node in nodes:
            for kind in kinds:
                site.start(node, kind)

    # The unsynced tail: a claim on the disk keeps a lying one away.
    claims = claims_of(nodes, kinds + (("disk",) if tail else ()))
    return Fault(0, rng.choice((0, rng.uniform(0, 8))),
                 f"kill -9 {' and '.join(kinds)} of {names(nodes)}" + (", unsynced tail dropped" if tail else ""),
                 claims, begin, end)


def pause(rng, size):
    nodes = some_nodes(rng, size)
    kinds = rng.choices((("assentd",), ("corosync",), ("corosync", "assentd")), (50, 25, 25))[0]
    stopped = []

    def begin(site):
        for node in nodes:
            for kind in kinds:
                process = site.process(node, kind)
                if process.alive:
                    process.signal(signal.SIGSTOP)
                    stopped.append(process)

    def end(_):
        for process in stopped:
            if process.alive:
                process.resume()

    return Fault(0, rng.choice((rng.uniform(0.05, 1), rng.uniform(1, 8))),
                 f"SIGSTOP {' and '.join(kinds)} of {names(nodes)}", claims_of(nodes, kinds), begin, end)


def rolling_restart(_, size):
    """Each node's assentd, then each node's corosync and assentd, is ended politely and started again."""
    def begin(site):
        for kinds in (("assentd",), ("assentd", "corosync")):
            for node in range(1, size + 1):
                for kind in kinds:
                    process = site.process(node, kind)
                    site.down.add(process)
                    code = process.stop(limit=60)
                    if code != 0:
                        raise AssertionError(f"{process.name}: SIGTERM gave exit code {code}")
                for kind in reversed(kinds):
                    site.start(node, kind)

    return Fault(0, 0, "rolling restart of everything", frozenset({EVERYTHING}), begin)


# Network --------------------------------------------------------------------------------------------------------------
def network(rules, text, seconds, claims=frozenset()):
    """`rules`: [(from, to, settings)]"""
    names_of_rules = []

    def begin(site):
        for number, (sender, receiver, settings) in enumerate(rules):
            name = f"{id(rules)}-{number}"
            names_of_rules.append(name)
            site.cluster.switch.rule(name, sender, receiver, **settings)

    def end(site):
        while names_of_rules:
            site.cluster.switch.clear(names_of_rules.pop())

    return Fault(0, seconds, text, claims, begin, end)


def partition(rng, size):
    nodes = list(range(1, size + 1))
    one = sorted(rng.sample(nodes, rng.randrange(1, size)))
    other = [node for node in nodes if node not in one]
    what = rng.choices(("all", "corosync", "side"), (60, 20, 20))[0]
    ways = rng.choices(("both", "out"), (65, 35))[0]
    rules = [(a, b, {"filter": what, "drop": 1}) for a in one for b in other]
    if ways == "both":
        rules += [(b, a, settings) for a, b, settings in rules]
    return network(rules, f"cut {names(one)} from {names(other)}, packets: {what}, "
                   + ("both ways" if ways == "both" else f"only those from {names(one)}"), rng.uniform(0.5, 12))


def one_link(rng, size):
    one, other = rng.sample(range(1, size + 1), 2)
    both = rng.random() < 0.5
    rules = [(one, other, {"filter": "side", "drop": 1})] + ([(other, one, {"filter": "side", "drop": 1})] if both else [])
    return network(rules, f"side channel cut from node {one} to node {other}" + (" and back" if both else ""),
                   rng.uniform(1, 12))


def bad_packets(rng, size):
    settings = {"filter": rng.choice(("all", "all", "corosync", "side"))}
    for name, most in rng.sample((("drop", 0.15), ("duplicate", 0.3), ("corrupt", 0.1), ("delay", 40), ("jitter", 60)),
                                 rng.choice((1, 1, 2, 3))):
        settings[name] = round(rng.uniform(0.05, 1) * most, 3)
    node = rng.choice([0] + list(range(1, size + 1)))
    rules = [(node, 0, settings)] if rng.random() < 0.5 or node == 0 else [(0, node, settings)]
    where = "everywhere" if node == 0 else f"{'from' if rules[0][0] else 'to'} node {node}"
    return network(rules, f"bad packets {where}: " + " ".join(f"{k}={v}" for k, v in settings.items()), rng.uniform(1, 12))


# Disk -----------------------------------------------------------------------------------------------------------------
def slow_sync(rng, size):
    nodes, delay = some_nodes(rng, size), rng.uniform(0.01, 0.5)
    return Fault(0, rng.uniform(1, 8), f"each sync takes {delay * 1000:.0f} ms longer on {names(nodes)}",
                 claims_of(nodes, ("delay",)), lambda site: [site.shims[node].sync_delay(delay) for node in nodes],
                 lambda site: [site.shims[node].sync_delay(0) for node in nodes])


def broken_disk(rng, text, claims, where, spoil, mend):
    """assentd of `where(site)` may end by itself; after the disk is mended it is started again, with what was really
    synced."""
    own = random.Random(rng.random())

    def begin(site):
        site.bad_disk.add(where(site))
        spoil(site)

    def end(site):
        mend(site)
        node = where(site)
        process = site.process(node, "assentd")
        if not process.alive:
            site.log(f"{process.name} had ended, exit code {process.exit_code}")
            site.roll_back(node, own)
            site.start(node, "assentd")
        site.bad_disk.discard(node)

    return Fault(0, rng.uniform(0.5, 6), text, claims, begin, end)


def failing_sync(rng, size):
    node = rng.randrange(1, size + 1)
    return broken_disk(rng, f"node {node}: syncs fail", claims_of([node], ("assentd", "disk")), lambda site: node,
                       lambda site: site.shims[node].sync(disk.FAILS), lambda site: site.shims[node].sync(disk.HONEST))


def failing_write(rng, size):
    node = rng.randrange(1, size + 1)
    return broken_disk(rng, f"node {node}: writes fail, no space left", claims_of([node], ("assentd", "disk")),
                       lambda site: node, lambda site: site.shims[node].disk_full(),
                       lambda site: site.shims[node].disk_full(False))


def full_disk(rng, size):
    """Of the one node that has a small one, which is not known here."""
    fault = broken_disk(rng, "the small disk is full", claims_of(range(1, size + 1), ("assentd", "disk")),
                        lambda site: site.small, lambda site: small_disk.fill(site.cluster[site.small]),
                        lambda site: small_disk.empty(site.cluster[site.small]))
    fault.seconds = rng.uniform(8, 16)  # a segment lasts some seconds, and the next one is there
    return fault


def lying_sync(rng, size):
    """A minority's syncs lie, and then what they lied about is lost. That breaks what acks promise, so nobody else may
    fail meanwhile: the node comes back only once the others have confirmed a write without it."""
    node = rng.randrange(1, size + 1)
    others = [other for other in range(1, size + 1) if other != node]
    own = random.Random(rng.random())

    def begin(site):
        site.cluster.wait_master(deadline=60)
        site.cluster.wait_corosync(deadline=60)
        site.caught_up(node)
        site.shims[node].sync(disk.LIES)

    def end(site):
        site.kill(node, "assentd")
        kept = os.path.join(site.cluster.folder, f"kept{node}")
        shutil.copytree(site.ledger(node), kept)
        site.roll_back(node, own)
        site.shims[node].sync(disk.HONEST)
        moment = time.monotonic()
        site.load.wait_confirmed(moment, others, deadline=60)
        site.start_or_put_back(node, kept)
        site.caught_up(node)

    return Fault(0, rng.uniform(1, 6), f"node {node}: syncs lie, then the unsynced tail is dropped",
                 frozenset({EVERYTHING}), begin, end)


# Clocks ---------------------------------------------------------------------------------------------------------------
RATE = 20_000  # millionths: two clocks differ by 4 % at most, and assentd counts with 5 %


def clock_rate(rng, size):
    node, rate = rng.randrange(1, size + 1), rng.randint(-RATE, RATE)
    return Fault(0, rng.uniform(2, 10), f"node {node}: clocks run by {rate / 1e4:+.2f} %", claims_of([node], ("rate",)),
                 lambda site: site.shims[node].rate(rate), lambda site: site.shims[node].rate(0))


def wall_clock(rng, size):
    node, jump = rng.randrange(1, size + 1), rng.choice((-1, 1)) * 10 ** rng.uniform(0, 7)
    return Fault(0, rng.uniform(1, 10), f"node {node}: the wall clock jumps by {jump:+.0f} s", claims_of([node], ("wall",)),
                 lambda site: site.shims[node].wall_clock(jump), lambda site: site.shims[node].wall_clock(0))


KINDS = {"kill": (kill, 20), "pause": (pause, 18), "partition": (partition, 16), "link": (one_link, 8),
         "packets": (bad_packets, 14), "slow-sync": (slow_sync, 6), "failing-sync": (failing_sync, 5),
         "failing-write": (failing_write, 4), "full-disk": (full_disk, 4), "lying-sync": (lying_sync, 4),
         "clock-rate": (clock_rate, 5), "wall-clock": (wall_clock, 3), "rolling-restart": (rolling_restart, 3)}


def schedule(seed, size, seconds, kinds=None):
    """[(kind, Fault)] in order of time: the same for the same arguments. Up to three faults run at once."""
    rng = random.Random(f"{seed}/{size}")
    kinds = list(kinds or KINDS)
    weights = [KINDS[kind][1] for kind in kinds]
    found, at = [], 1.0
    while at < seconds:
        kind = rng.choices(kinds, weights)[0]
        fault = KINDS[kind][0](rng, size)
        fault.at = at
        fault.seconds = min(fault.seconds, max(0.5, seconds - at))
        running = [other for _, other in found if other.at + other.seconds > at]
        if len(running) < 3 and not any(fault.conflicts(other) for other in running):
            found.append((kind, fault))
            at += rng.expovariate(1 / 2.5)
        else:
            at += 0.3
    return found
