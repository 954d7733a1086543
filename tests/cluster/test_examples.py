"""The programs of examples/ on real clusters: the library, the daemon, their own stores.

ASSENT_EXAMPLES_SECONDS says how long the loops with kill -9 go on (10).
"""

import os
import random
import time

from assentcluster import Cluster, wait_for
from assentcluster.process import Process
from assentcluster.testing import limit

SECONDS = int(os.environ.get("ASSENT_EXAMPLES_SECONDS", "10"))


class Example:
    """One program of examples/, serving on every host, and its client commands."""

    def __init__(self, cluster: Cluster, name: str, suffix: str) -> None:
        self.cluster = cluster
        self.program = cluster.build.program(name)
        self.store = {host.node: os.path.join(host.folder, f"{name}.{suffix}") for host in cluster}
        self.of = {host.node: self.process(host, f"{name} of node {host.node}") for host in cluster}

    def process(self, host, what: str) -> Process:
        return Process(what, host.namespaces,
                       [self.program, "-s", "/run/assent/assentd.sock", "-g", "kv", "serve", self.store[host.node]],
                       os.path.join(host.folder, "log/example.log"))

    def __enter__(self) -> "Example":
        for process in self.of.values():
            process.start()
        return self

    def __exit__(self, *_) -> None:
        for process in self.of.values():
            if process.alive:
                process.resume()
            process.kill()

    def restart(self, node: int) -> None:
        self.of[node].kill()
        self.of[node] = self.process(self.cluster[node], f"example of node {node}, again")
        self.of[node].start()

    def run(self, host, *words: str, timeout: float = 15):
        return host.namespaces.run([self.program, "-s", "/run/assent/assentd.sock", "-g", "kv", *words], timeout=timeout,
                                   check=False)

    def wait_healthy(self) -> None:
        for host in self.cluster:
            wait_for(lambda host=host: (host.status() or {})["application"]["state"] == "healthy", 20,
                     f"the application of node {host.node} to be healthy")


def attached_cluster(**more) -> Cluster:
    return Cluster(assent="groups: kv\nkv {\napplication: attached\n}", **more)


def same_bytes(example: Example, deadline: float = 40) -> bytes:
    """Waits until all have applied all; their stores are the same."""
    example.cluster.wait_same(deadline=deadline)

    def stores() -> set[bytes]:
        return {open(path, "rb").read() for path in example.store.values()}

    wait_for(lambda: len(stores()) == 1, deadline, "the stores to be the same")
    return stores().pop()


@limit(300)
def test_jobqueue():
    """Jobs go in and out by way of every node; what is no job is rejected by all and cancelled; two of three hang and
    nothing is confirmed; one of them is killed and started again: it gets what it missed."""
    with attached_cluster() as cluster, Example(cluster, "jobqueue", "jobs") as queue:
        master = cluster.start()
        queue.wait_healthy()
        for host in cluster:
            added = queue.run(host, "add", f"job of {host.node}")
            assert added.returncode == 0, str(added)
        taken = queue.run(cluster[2], "take", "ann")
        assert taken.returncode == 0 and "job of 1" in taken.stdout, str(taken)
        refused = cluster[3].ctl("write", input="nonsense")
        assert refused.rc == 109, str(refused)

        hung = [host.node for host in cluster.others(master.node)]
        for node in hung:
            queue.of[node].pause()
        answer = master.ctl("write", timeout=2, input="add in hand")
        assert answer.rc in (106, 112), str(answer)
        queue.restart(hung[0])
        wait_for(lambda: "in hand" in queue.run(master, "list").stdout, 20, "the job in hand to be there")
        queue.of[hung[1]].resume()
        store = same_bytes(queue)
        assert store.count(b"in hand") == 1 and b"nonsense" not in store


@limit(300)
def test_sqlite():
    """Rows by way of every node; a constraint makes every application reject: cancelled, and the databases stay equal."""
    with attached_cluster() as cluster, Example(cluster, "sqlite", "db") as sqlite:
        cluster.start()
        sqlite.wait_healthy()
        made = sqlite.run(cluster[1], "write", "CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER CHECK(v < 100))")
        assert made.returncode == 0, str(made)
        for host in cluster:
            done = sqlite.run(host, "write", f"INSERT INTO t VALUES('{host.node}', {host.node})")
            assert done.returncode == 0, str(done)
        for bad in ("INSERT INTO t VALUES('1', 7)", "INSERT INTO t VALUES('x', 100)", "no SQL at all"):
            refused = sqlite.run(cluster[2], "write", bad)
            assert refused.returncode != 0, str(refused)
        assert sqlite.run(cluster[3], "write", "UPDATE t SET v = v + 10").returncode == 0
        rows = {host.node: sqlite.run(host, "read", "SELECT k, v FROM t ORDER BY k").stdout for host in cluster}
        assert set(rows.values()) == {"1|11\n2|12\n3|13\n"}, str(rows)


@limit(SECONDS + 300)
def test_jobqueue_killed():
    """kill -9 of applications, daemons and hosts while jobs are added: what was confirmed is in every queue, once."""
    with attached_cluster() as cluster, Example(cluster, "jobqueue", "jobs") as queue:
        cluster.start()
        queue.wait_healthy()
        chance = random.Random(1)
        confirmed: list[str] = []
        number = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            host = cluster[chance.randint(1, 3)]
            victim = cluster[chance.randint(1, 3)]
            what = chance.choice(["application", "daemon", "both"])
            if what != "daemon":
                queue.of[victim.node].kill()
            if what != "application":
                victim.daemon.kill()
            for _ in range(3):
                number += 1
                text = f"job {number}."
                if queue.run(host, "add", text).returncode == 0:
                    confirmed.append(text)
            if what != "application":
                victim.daemon.start()
            if what != "daemon":
                queue.restart(victim.node)
        assert confirmed, "nothing was confirmed"
        store = same_bytes(queue)
        for text in confirmed:
            assert store.count(text.encode()) == 1, f"{text} is there {store.count(text.encode())} times"
