"""Load on a cluster, and the proof afterwards that no confirmed write is missing or changed on any node.

The load comes from the program assent-test-writer (writer.cc), one process a host. It writes each outcome as a line
`START_US END_US OUTCOME KEY VALUE INDEX` to its history file; the times are CLOCK_MONOTONIC, as time.monotonic().
"""

import os
from dataclasses import dataclass

from .process import Process
from .wait import wait_for

PROGRAM = "assent-test-writer"


@dataclass
class Confirmed:
    """A write that was confirmed to its client; times in seconds, as time.monotonic()."""

    start: float
    end: float
    key: str
    value: str
    index: int
    node: int


class Writer:
    """`clients` closed-loop clients on one host. Each writes keys of its own, once each: w<client>-<n>. `rate` is the
    most a client writes in a second (0: as many as it can)."""

    def __init__(self, host, clients, first_client, rate, value_bytes):
        self.host = host
        self.history = os.path.join(host.folder, f"log/history-{first_client}")
        argv = [host.build.program(PROGRAM), "--clients", str(clients), "--first", str(first_client),
                "--rate", str(rate), "--value-bytes", str(value_bytes), "--history", self.history]
        self.process = Process(f"writer of node {host.node}", host.namespaces, argv,
                               os.path.join(host.folder, "log/writer.log"))
        self.records = []
        self.counts = {}
        self._read_to = 0

    def read(self):
        """Takes in what the history file has got since the last call."""
        try:
            with open(self.history) as history:
                history.seek(self._read_to)
                for line in iter(history.readline, ""):
                    if not line.endswith("\n"):
                        break
                    self._read_to += len(line)
                    self._take(line.split())
        except FileNotFoundError:
            pass

    def _take(self, words):
        start, end, outcome, key, value, index = words
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        if outcome == "confirmed":
            self.records.append(
                Confirmed(int(start) / 1e6, int(end) / 1e6, key, value, int(index), self.host.node))

    def first_confirmed(self, moment):
        """The first write that was begun after `moment` and confirmed, or None."""
        self.read()
        later = [record for record in reversed(self.records) if record.start > moment]
        return min(later, key=lambda record: record.end, default=None)


class Load:
    """Writers on all hosts of a cluster. In a `with`: started at its begin, stopped at its end."""

    def __init__(self, cluster, clients=16, rate=100, value_bytes=64):
        self.cluster = cluster
        self.writers = []
        hosts = list(cluster)
        first = len(cluster.writers) * 1000
        for place, host in enumerate(hosts):
            share = clients // len(hosts) + (1 if place < clients % len(hosts) else 0)
            self.writers.append(Writer(host, share, first + place * 1000, rate, value_bytes))
        cluster.writers += [writer.process for writer in self.writers]

    def __enter__(self):
        for writer in self.writers:
            writer.process.start()
        self.wait_confirmed(0, deadline=60)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for writer in self.writers:
            if writer.process.alive:
                code = writer.process.stop(limit=30)
                assert code == 0, f"{writer.process.name}: exit {code}: {''.join(writer.process.log_tail(5))}"
        self.read()

    def read(self):
        for writer in self.writers:
            writer.read()

    def wait_confirmed(self, moment, nodes=None, deadline=20):
        """Until a write begun after `moment` is confirmed through each of `nodes` (default all). Returns the time when
        the first of these was confirmed."""
        chosen = [writer for writer in self.writers if nodes is None or writer.host.node in nodes]
        first = [wait_for(lambda writer=writer: writer.first_confirmed(moment), deadline,
                          f"a confirmed write through node {writer.host.node}") for writer in chosen]
        return min(record.end for record in first)

    def confirmed(self):
        self.read()
        return [record for writer in self.writers for record in writer.records]

    def counts(self):
        """Outcome → number of writes."""
        self.read()
        total = {}
        for writer in self.writers:
            for outcome, number in writer.counts.items():
                total[outcome] = total.get(outcome, 0) + number
        return total

    def check(self):
        """After stop(): every confirmed write is on every node with its value, no two have the same index, and all
        nodes hold the same. Returns the number of confirmed writes."""
        self.cluster.wait_same()
        confirmed = self.confirmed()
        assert confirmed, "not one write was confirmed"
        indexes = {record.index for record in confirmed}
        assert len(indexes) == len(confirmed), "two writes were confirmed with the same index"
        expected = os.path.join(self.cluster.folder, "expected")
        with open(expected, "w") as file:
            file.writelines(f"{record.key} {record.value}\n" for record in confirmed)
        for host in self.cluster:
            for level in ("local", "master"):
                done = host.run(host.build.program(PROGRAM), "--verify", expected, "--level", level,
                                timeout=60, check=False)
                assert done.returncode == 0, f"node {host.node}, {level} reads: {done.stdout}{done.stderr}"
        self.cluster.check_same_contents()
        return len(confirmed)
