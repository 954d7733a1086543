"""One episode of the nemesis: a cluster, clients, faults for a while, then quiet, and then everything is looked at."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time

from . import small_disk
from .cluster import Cluster
from .faults import Site, schedule
from .process import Process
from .shim import Shim
from .tapswitch import TapSwitch
from .wait import TimedOut, wait_for
from .writer import Load

HISTORY = "assent-test-history"
DELAY_MS = 1  # between two hosts; without any, corosync's token would go round as fast as the processors let it
RECOVERY = 120  # seconds until everything must work again once the faults have stopped
FAULT_LINES = re.compile(r"Assertion|assertion|AddressSanitizer|runtime error:|fault of assentd|terminate called|does not hold")
ASSENT = """\
max_write_bytes: 65536
ledger_segment_bytes: 1048576"""


class Clients:
    """Clients that read and write the same few keys, through all nodes."""

    def __init__(self, cluster, seed, count, rate):
        self.cluster = cluster
        self.processes = []
        self.histories = []
        hosts = list(cluster)
        for place, host in enumerate(hosts):
            share = count // len(hosts) + (1 if place < count % len(hosts) else 0)
            self._add(host, ["--clients", str(share), "--first", str(1000 * place + 1), "--rate", str(rate),
                             "--seed", str(seed)], "history.json")

    def _add(self, host, options, name):
        history = os.path.join(host.folder, "log", name)
        self.histories.append(history)
        process = Process(f"{name} of node {host.node}", host.namespaces,
                          [host.build.program(HISTORY), "--history", history] + options,
                          os.path.join(host.folder, "log/clients.log"))
        self.processes.append(process)
        self.cluster.writers.append(process)
        return process

    def start(self):
        for process in self.processes:
            process.start()

    def stop(self):
        for process in self.processes:
            code = process.stop(limit=60) if process.alive else process.exit_code
            assert code == 0, f"{process.name}: exit code {code}: {''.join(process.log_tail(5))}"

    def keys(self):
        found = set()
        for path in self.histories:
            with open(path) as file:
                found.update(re.findall(r'"key":"([^"]*)"', file.read()))
        return found

    def sweep(self):
        """Every key is read once more through each node."""
        keys = os.path.join(self.cluster.folder, "keys")
        with open(keys, "w") as file:
            file.write("\n".join(sorted(self.keys())))
        for host in self.cluster:
            process = self._add(host, ["--sweep", keys, "--first", str(9000 + host.node)], "sweep.json")
            process.start()
            assert process.wait_exit(120) == 0, "".join(process.log_tail(5))

    def counts(self):
        total = {}
        for path in self.histories:
            with open(path) as file:
                for outcome in re.findall(r'"outcome":"([a-z]*)"', file.read()):
                    total[outcome] = total.get(outcome, 0) + 1
        return total


class Episode:
    def __init__(self, seed, size, seconds, build=None, kinds=None, keep=False, say=print):
        self.seed, self.size, self.seconds = seed, size, seconds
        self.kinds = kinds
        self.build = build
        self.keep = keep
        self.say = say
        self.faults = {}
        self.folder = None
        self.ended_by_itself = {}  # corosync, which is not ours
        self._began = time.monotonic()

    def log(self, text):
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._began:7.2f} {text}"
        self._trace.write(line + "\n")
        self._trace.flush()
        self.say(line)

    def run(self):
        """AssertionError or TimedOut: something is wrong; the folder is kept. Returns figures."""
        plan = schedule(self.seed, self.size, self.seconds, self.kinds)
        with contextlib.ExitStack() as stack:
            cluster = self._cluster(stack)
            self._trace = stack.enter_context(open(os.path.join(cluster.folder, "nemesis.log"), "w"))
            self.cluster = cluster
            self.folder = cluster.folder
            try:
                return self._run(plan)
            except BaseException as error:
                cluster.keep_folder = True
                self.log(f"FAILED: {type(error).__name__}: {error}")
                self.say(f"everything is kept in {cluster.folder}; again: {self.command()}")
                raise

    def command(self):
        only = f" --faults {','.join(self.kinds)}" if self.kinds else ""
        return f"tests/cluster/nemesis --hosts {self.size} --seconds {self.seconds} --seed {self.seed}{only}"

    def _cluster(self, stack):
        # While a ring forms, a corosync with requests of a client in hand polls without pause. Five that do so at real-time
        # priority on two processors would keep each other, and the switch, from ever forming one.
        return stack.enter_context(Cluster(self.size, assent=ASSENT, build=self.build, keep_folder=self.keep, realtime=False,
                                           make_switch=lambda build: TapSwitch(build, self._number(), DELAY_MS)))

    def _number(self):
        return random.Random(str(self.seed)).getrandbits(32)

    def _run(self, plan):
        cluster = self.cluster
        self.shims = {host.node: Shim(host) for host in cluster}
        small = 1 + self._number() % self.size
        kind = small_disk.mount(cluster[small])
        self.log(f"seed {self.seed}, {self.size} hosts, {len(plan)} faults in {self.seconds} s; node {small} has a small disk ({kind})")
        self.site = Site(cluster, self.shims, small, self.log)
        self.site.caught_up = self._caught_up
        cluster.start(deadline=90)
        self.load = self.site.load = Load(cluster, clients=self.size, rate=40, value_bytes=600)
        clients = Clients(cluster, self._number(), 2 * self.size + 4, rate=40)
        with self.load:
            clients.start()
            self._torment(plan, clients)
            self._recover()
        clients.stop()
        clients.sweep()
        confirmed = self.load.check()
        self._compare_ledgers()
        self._check_logs()
        self._check_history(clients)
        counts = clients.counts()
        packets = cluster.switch.counts()
        self.log(f"all is well: {confirmed} confirmed writes on all nodes; operations {counts}; packets {packets}")
        return {"faults": self.faults, "operations": counts, "confirmed": confirmed,
                "corosync ended by itself": sum(self.ended_by_itself.values()), "packets": packets}

    # Faults ---------------------------------------------------------------------------------------------------------
    def _torment(self, plan, clients):
        """Faults begin and end at their times; one whose claims are still in use is left out."""
        began = time.monotonic()
        plan = list(plan)
        running = []
        while plan or running:
            now = time.monotonic() - began
            ending = [entry for entry in running if entry[0] <= now]
            for entry in sorted(ending, key=lambda entry: entry[0]):
                running.remove(entry)
                self.log(f"end   {entry[1].text}")
                entry[1].end(self.site)
            while plan and plan[0][1].at <= time.monotonic() - began:
                kind, fault = plan.pop(0)
                if any(fault.conflicts(other) for _, other in running):
                    continue
                self.log(f"begin {fault.text} ({fault.seconds:.1f} s)")
                fault.begin(self.site)
                self.faults[kind] = self.faults.get(kind, 0) + 1
                running.append((time.monotonic() - began + fault.seconds, fault))
            self._supervise()
            self._still_alive(clients)
            time.sleep(0.02)

    def _supervise(self):
        """As systemd would: what ended by itself is started again. assentd may only do so when its disk is bad."""
        for host in self.cluster:
            for process in (host.corosync, host.daemon):
                if process.alive or process in self.site.down:
                    continue
                code = process.exit_code
                if process is host.daemon:
                    if host.node not in self.site.bad_disk or not (code > 0 or self._gave_up_in_rocksdb(process)):
                        raise AssertionError(f"{process.name} has ended by itself, exit code {code}: "
                                             + "".join(process.log_tail(5)))
                    continue  # it is started when the disk is mended
                self.ended_by_itself[process.name] = self.ended_by_itself.get(process.name, 0) + 1
                self.log(f"{process.name} has ended by itself, exit code {code}: {''.join(process.log_tail(3))}")
                process.start()

    @staticmethod
    def _gave_up_in_rocksdb(process):
        """Debian builds RocksDB with its assertions, and some fail when the disk gives an error while it is opened."""
        return process.exit_code == -signal.SIGABRT and "rocksdb::" in "".join(process.log_tail(2))

    def _recover(self):
        self.cluster.switch.heal()
        began = time.monotonic()
        self.log("quiet")
        deadline = began + RECOVERY
        while True:
            self._supervise()
            try:
                self.cluster.wait_corosync(deadline=5)
                self.cluster.wait_master(deadline=5)
                break
            except TimedOut:
                if time.monotonic() > deadline:
                    raise
        self.load.wait_confirmed(time.monotonic(), deadline=RECOVERY)
        self.log(f"everything works again after {time.monotonic() - began:.1f} s")

    def _caught_up(self, node):
        """Until the node has applied what the others had confirmed when this was asked."""
        target = wait_for(lambda: max(host.indexes()["confirmed"] for host in self.cluster), 60,
                          "all nodes to say what is confirmed")
        wait_for(lambda: self.cluster[node].indexes()["applied"] >= target, 60,
                 f"node {node} to have applied entry {target}")

    def _still_alive(self, clients):
        for process in clients.processes:
            assert process.alive, f"{process.name} has ended: {''.join(process.log_tail(5))}"

    # Afterwards -----------------------------------------------------------------------------------------------------
    def _compare_ledgers(self):
        """What is confirmed on all nodes is the same in all ledgers, as far back as each goes."""
        last = min(host.indexes()["confirmed"] for host in self.cluster)
        entries = {}
        for host in self.cluster:
            code = host.daemon.stop(limit=60)
            assert code == 0, f"{host.daemon.name}: SIGTERM gave exit code {code}"
        for host in self.cluster:
            lines = host.run(host.build.program("assent-test-ledger"), "/var/lib/assent/kv", timeout=60).stdout.splitlines()
            entries[host.node] = {int(line.split()[0]): line for line in lines}
        for node, ledger in entries.items():
            missing = [index for index in range(min(ledger), last + 1) if index not in ledger]
            assert not missing, f"node {node}'s ledger lacks entries {missing[:5]}, and {last} is confirmed"
        for index in range(1, last + 1):
            seen = {node: ledger[index] for node, ledger in entries.items() if index in ledger}
            assert len(set(seen.values())) <= 1, f"ledgers differ at entry {index}: {seen}"

    def _check_logs(self):
        for host in self.cluster:
            with open(host.daemon.log, errors="replace") as log:
                bad = [line for line in log if FAULT_LINES.search(line) and "rocksdb::" not in line]
            assert not bad, f"node {host.node}'s log: {bad[:3]}"

    def _check_history(self, clients):
        program = os.path.join(self.cluster.build.folder, "tests/lincheck/lincheck")
        done = subprocess.run([program, "--seconds", "120"] + clients.histories, capture_output=True, text=True,
                              timeout=300, check=False)
        assert done.returncode == 0, f"lincheck: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        self.log("lincheck: " + (done.stdout.strip().splitlines() or [""])[-1])
