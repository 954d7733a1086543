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


def threads_of(pid):
    """Sums over the threads of a process: seconds on a CPU and waiting for one, switches, write calls and bytes written."""
    total = defaultdict(float)
    for task in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{task}"
        with open(f"{folder}/schedstat") as file:
            ran, waited, _ = file.read().split()
        total["ran"] += int(ran) / 1e9
        total["waited"] += int(waited) / 1e9
        with open(f"{folder}/status") as file:
            total["switches"] += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        with open(f"{folder}/io") as file:
            io = dict(line.split(": ") for line in file)
        if int(io["write_bytes"]):  # the ledger's thread (RocksDB writes when a memtable is full, rarely)
            total["ledger writes"] += int(io["syscw"])
        total["bytes"] += int(io["write_bytes"])
    return total


def measure(cluster, applications, kind, outstanding, seconds):
    """One run, with the client on the node of the group's master. Returns numbers by name."""
    def master():
        status = cluster[1].ctl("status", group=kind).json
        return cluster[status["master"]] if status["can_write"] else None

    host = wait_for(master, 60, f"group {kind} to have a master")
    if kind != "kv":
        applications.report(kind, host.node)
    processes = [each.daemon.pid for each in cluster]
    processes += [applications.of[kind, each.node].pid for each in cluster] if kind != "kv" else []
    before = [threads_of(pid) for pid in processes]
    answer = host.run(cluster.build.program("assent-bench"), "put", "-g", kind, "-n", str(outstanding), "-d", str(seconds),
                      "-w", "1", "-o", "json", timeout=seconds + 60)
    told = json.loads(answer.stdout)
    after = [threads_of(pid) for pid in processes]
    spent = defaultdict(float)
    for one, other in zip(before, after):
        for name in other:
            spent[name] += other[name] - one[name]
    writes = told["operations"] * (seconds + 1) / seconds  # what was done while warming up was counted with the rest
    found = {"master": host.node, "writes/s": told["per_second"], "p50 ms": told["puts"]["latency_us"]["p50"] / 1000,
             "p99 ms": told["puts"]["latency_us"]["p99"] / 1000, "errors": sum(told["errors"].values())}
    for name, value in spent.items():
        found[f"{name}/write"] = value / writes
    latency = host.ctl("status", group=kind).json["latency"]
    found.update({f"daemon {name}": value for name, value in latency.items()})
    if kind != "kv":
        report = applications.report(kind, host.node)
        found["writes/round"] = report["writes"] / max(report["rounds"], 1)
        found["syncs/write"] = report["syncs"] / max(report["writes"], 1)
        found["prepare to confirm p50 ms"] = report["prepare_to_confirm_us"]["p50"] / 1000
        found["prepare to confirm p99 ms"] = report["prepare_to_confirm_us"]["p99"] / 1000
    return found


def compare(rounds, seconds, numbers, **conf):
    """Prints each run as a line of JSON, then the medians and the ratios to kv of the same round."""
    runs = defaultdict(list)
    with Cluster(assent=CONF, **conf) as cluster, Applications(cluster) as applications:
        cluster.start()
        for _ in range(rounds):
            for outstanding in numbers:
                for kind in KINDS:
                    run = measure(cluster, applications, kind, outstanding, seconds)
                    runs[outstanding, kind].append(run)
                    print(json.dumps({"outstanding": outstanding, "kind": kind, **run}), flush=True)
    print("outstanding  application  writes/s  p50 ms  p99 ms  | of kv: writes/s  p50  p99")
    for outstanding in numbers:
        for kind in KINDS:
            own, kv = runs[outstanding, kind], runs[outstanding, "kv"]
            middle = [statistics.median(run[name] for run in own) for name in ("writes/s", "p50 ms", "p99 ms")]
            ratios = [statistics.median(run[name] / other[name] for run, other in zip(own, kv))
                      for name in ("writes/s", "p50 ms", "p99 ms")]
            print(f"{outstanding:11}  {kind:11}  {middle[0]:8.0f}  {middle[1]:6.2f}  {middle[2]:6.1f}  |"
                  + "".join(f"  {ratio:4.2f}" for ratio in ratios))
