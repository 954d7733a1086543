"""The built-in kv and attached applications beside each other: three groups of one cluster, measured in turn.

  kv    the built-in application
  bare  attached, keeps nothing: what the way to another process and back costs
  log   attached, with a log of its own: one fdatasync for what came meanwhile
"""

import json
import os
import signal
import statistics
from collections import defaultdict

from .cluster import Cluster
from .process import Process
from .wait import wait_for

CONF = """\
groups: kv bare log
bare {
application: attached
}
log {
application: attached
}"""
KINDS = ("kv", "bare", "log")


class Applications:
    """Those of the groups bare and log on every host."""

    def __init__(self, cluster):
        self.of = {}
        for host in cluster:
            for kind in KINDS[1:]:
                argv = [cluster.build.program("assent-test-bench-application"), "/run/assent/assentd.sock", kind]
                argv += [os.path.join(host.folder, "application.log")] if kind == "log" else []
                self.of[kind, host.node] = Process(f"{kind} of node {host.node}", host.namespaces, argv,
                                                   os.path.join(host.folder, f"log/{kind}.log"))

    def __enter__(self):
        for process in self.of.values():
            process.start()
        return self

    def __exit__(self, *_):
        for process in self.of.values():
            process.kill()

    def report(self, kind, node):
        """What it saw since the last report."""
        process = self.of[kind, node]
        before = self._reports(process)
        process.signal(signal.SIGUSR1)
        return json.loads(wait_for(lambda: self._reports(process)[len(before):], 20, f"{process.name} to report")[0])

    @staticmethod
    def _reports(process):
        with open(process.log) as log:
            return [line for line in log if line.startswith("{") and line.endswith("\n")]


def spent_by(pids):
    """Sums over the threads of processes: milliseconds on a CPU and waiting for one, switches, and write calls of those
    threads that write to a disk. Such a thread of assentd is the ledger's: for each batch one pwrite with its fdatasync, and
    one write that wakes the loop."""
    total = defaultdict(float)
    for folder in (f"/proc/{pid}/task/{task}" for pid in pids for task in os.listdir(f"/proc/{pid}/task")):
        with open(f"{folder}/schedstat") as file:
            ran, waited, _ = file.read().split()
        total["ms on a CPU"] += int(ran) / 1e6
        total["ms waiting for one"] += int(waited) / 1e6
        with open(f"{folder}/status") as file:
            total["switches"] += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        with open(f"{folder}/io") as file:
            io = dict(line.split(": ") for line in file)
        if int(io["write_bytes"]):
            total["disk writes"] += int(io["syscw"])
    return total


def measure(cluster, applications, kind, outstanding, seconds):
    """One run, with the client on the node of the group's master. Returns numbers by name."""
    def master():
        status = cluster[1].ctl("status", group=kind).json
        return cluster[status["master"]] if status["can_write"] else None

    host = wait_for(master, 60, f"group {kind} to have a master")
    if kind != "kv":
        applications.report(kind, host.node)
    processes = {"daemons": [each.daemon.pid for each in cluster],
                 "applications": [applications.of[kind, each.node].pid for each in cluster] if kind != "kv" else []}
    before = {name: spent_by(pids) for name, pids in processes.items()}
    answer = host.run(cluster.build.program("assent-bench"), "put", "-g", kind, "-n", str(outstanding), "-d", str(seconds),
                      "-w", "1", "-o", "json", timeout=seconds + 60)
    told = json.loads(answer.stdout)
    found = {"master": host.node, "writes/s": told["per_second"], "p50 ms": told["puts"]["latency_us"]["p50"] / 1000,
             "p99 ms": told["puts"]["latency_us"]["p99"] / 1000, "errors": sum(told["errors"].values())}
    writes = told["operations"] * (seconds + 1) / seconds  # what was done while warming up counts with the rest
    for name, pids in processes.items():
        for what, value in spent_by(pids).items():
            found[f"{name}: {what}/write"] = round((value - before[name][what]) / writes, 4)
    found["ledger batches/write/node"] = round(found["daemons: disk writes/write"] / 2 / len(cluster), 3)
    keys = host.run("corosync-cmapctl", f"runtime.assent.{kind}.latency.").stdout.splitlines()
    found.update({f"{key.split('.')[-1].split()[0][:-3]} ms": int(key.split("= ")[1]) / 1000 for key in keys})
    if kind != "kv":
        report = applications.report(kind, host.node)
        found["application: writes/round"] = round(report["writes"] / max(report["rounds"], 1), 1)
        found["application: syncs/write"] = round(report["syncs"] / max(report["writes"], 1), 3)
        found["prepare to confirm p50 ms"] = report["prepare_to_confirm_us"]["p50"] / 1000
        found["prepare to confirm p99 ms"] = report["prepare_to_confirm_us"]["p99"] / 1000
    return found


def compare(rounds, seconds, numbers, **conf):
    """Prints each run as a line of JSON, then the medians and the ratios to kv of the same round."""
    runs = defaultdict(list)
    # A token that is not lost because the machine does something else: that would measure elections.
    with Cluster(assent=CONF, token=5000, **conf) as cluster, Applications(cluster) as applications:
        cluster.start(deadline=60)
        for _ in range(rounds):
            for outstanding in numbers:
                for kind in KINDS:
                    run = measure(cluster, applications, kind, outstanding, seconds)
                    runs[outstanding, kind].append(run)
                    print(json.dumps({"outstanding": outstanding, "kind": kind, **run}), flush=True)
    report(runs, numbers)


def report(runs, numbers):
    """Two tables in Markdown: how much and how fast, and where it goes."""
    def middle(outstanding, kind, name):
        return statistics.median(run.get(name, 0) for run in runs[outstanding, kind])

    print("\n| outstanding | application | writes/s | p50 ms | p99 ms | writes/s of kv | p50 of kv | p99 of kv |"
          "\n|---|---|---|---|---|---|---|---|")
    for outstanding in numbers:
        for kind in KINDS:
            pairs = list(zip(runs[outstanding, kind], runs[outstanding, "kv"]))
            ratios = [statistics.median(run[name] / kv[name] for run, kv in pairs) for name in ("writes/s", "p50 ms", "p99 ms")]
            print(f"| {outstanding} | {kind} | {middle(outstanding, kind, 'writes/s'):.0f} | "
                  f"{middle(outstanding, kind, 'p50 ms'):.1f} | {middle(outstanding, kind, 'p99 ms'):.1f} | "
                  + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    names = ["ledger batches/write/node", "daemons: ms on a CPU/write", "applications: ms on a CPU/write",
             "daemons: switches/write", "applications: switches/write", "application: writes/round",
             "prepare to confirm p50 ms"]
    print("\n| outstanding | application | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))
    for outstanding in numbers:
        for kind in KINDS:
            print(f"| {outstanding} | {kind} | " + " | ".join(f"{middle(outstanding, kind, name):.3g}" for name in names) + " |")
