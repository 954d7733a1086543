"""Applications that are processes of their own: what hangs, dies, comes late or refuses does no harm.

The application is tests/cluster/application.cc: a line in a file for each verdict.
"""

import contextlib
import os
import re
from concurrent.futures import ThreadPoolExecutor

from assentcluster import Cluster, wait_for
from assentcluster.process import Process
from assentcluster.testing import limit

# refused for want of a majority of applications, or unknown: anything but done
NOT_DONE = (106, 112)


class Applications:
    """One a host, of group kv."""

    def __init__(self, cluster: Cluster, max_pending: int = 0) -> None:
        self.cluster = cluster
        self.of = {host.node: Process(f"application of node {host.node}", host.namespaces,
                                      self.command(host, max_pending), os.path.join(host.folder, "log/application.log"))
                   for host in cluster}

    def command(self, host, max_pending: int) -> list[str]:
        return [self.cluster.build.program("assent-test-application"), "/run/assent/assentd.sock", "kv",
                str(host.node), self.store(host.node), str(max_pending)]

    def store(self, node: int) -> str:
        return os.path.join(self.cluster[node].folder, "store")

    def __getitem__(self, node: int) -> Process:
        return self.of[node]

    def __enter__(self) -> "Applications":
        for application in self.of.values():
            application.start()
        return self

    def __exit__(self, *_) -> None:
        for application in self.of.values():
            if application.alive:
                application.resume()
            application.kill()

    def lines(self, node: int) -> list[tuple[int, str]]:
        """(index, data) of all its verdicts, in the order in which they came."""
        with open(self.store(node), encoding="utf-8") as store:
            found = [line.rstrip("\n").split("\t", 1) for line in store if "\t" in line]
        return [(int(index), text) for index, text in found]

    def check_same(self, deadline: float = 30) -> list[tuple[int, str]]:
        """Waits until all have all verdicts; they are the same, each once, in order. Returns them."""
        self.cluster.wait_same(deadline=deadline)
        stores = {node: self.lines(node) for node in self.of}
        first, *others = stores
        for other in others:
            assert stores[other] == stores[first], f"nodes {first} and {other} differ: {stores}"
        indexes = [index for index, _ in stores[first]]
        assert indexes == sorted(set(indexes)), f"not each once and in order: {indexes}"
        return stores[first]

    def state(self, node: int) -> str:
        return (self.cluster[node].status() or {})["application"]["state"]  # KeyError: waited for

    def wait_state(self, node: int, state: str) -> None:
        wait_for(lambda: self.state(node) == state, 15, f"the application of node {node} to be {state}")


def attached_cluster(keys: str = "", **more) -> Cluster:
    return Cluster(assent=f"groups: kv\nkv {{\napplication: attached\n{keys}}}", **more)


def write(host, data: str, timeout: float = 8):
    return host.ctl("write", timeout=timeout, input=data)


@limit(120)
def test_hung_applications():
    """The applications of two of three nodes hang, the daemons live: nothing is confirmed. One of the two is killed with
    writes in hand and started again: it gets every write it missed, in order, once."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        master = cluster.start()
        assert write(master, "before").rc == 0
        hung = [host.node for host in cluster.others(master.node)]
        for node in hung:
            applications[node].pause()
        with ThreadPoolExecutor(3) as clients:
            answers = list(clients.map(lambda number: write(master, f"in hand {number}", timeout=2), range(3)))
        assert all(answer.rc in NOT_DONE for answer in answers), [str(answer) for answer in answers]
        for node in hung:
            applications.wait_state(node, "hung")
        for node in cluster.hosts:
            applied = [text for _, text in applications.lines(node)]  # the hung ones may not have come to "before" yet
            assert applied in ([], ["before"]), f"node {node} has applied {applied}"
        refused = cluster[master.node].status()
        assert not refused["can_write"] and "application" in refused["reason"], refused["reason"]
        applications[hung[0]].kill()
        applications.wait_state(hung[0], "absent")
        applications[hung[0]].start()
        wait_for(lambda: write(master, "after").rc == 0, 30, "a majority of applications to take writes again")
        outcomes = [master.ctl("outcome", told.json["client"], told.json["sequence"]).json["outcome"] for told in answers]
        applications[hung[1]].resume()
        verdicts = [text for _, text in applications.check_same()]
        assert verdicts[0] == "before" and verdicts[-1] == "after", verdicts
        for number, outcome in enumerate(outcomes):
            assert verdicts.count(f"in hand {number}") == (outcome == "confirmed"), f"{outcomes}, but {verdicts}"
        print(f"# writes in hand: exits {[answer.rc for answer in answers]}, then {outcomes}; verdicts {verdicts}")


@limit(120)
def test_rejects():
    """Rejected by a minority, a write is confirmed everywhere; by a majority, it is cancelled with the reason."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        cluster.start()
        for host in cluster:
            answer = write(host, f"reject@{host.node} minority")
            assert answer.rc == 0 and answer.json["outcome"] == "confirmed", str(answer)
            answer = write(host, f"reject@{host.node},{host.node % 3 + 1} majority")
            assert answer.rc == 109 and answer.json["outcome"] == "cancelled", str(answer)
            assert "does not want it" in answer.json["reason"], str(answer)
            answer = write(host, f"node {host.node} goes on")
            assert answer.rc == 0, str(answer)
        texts = [text for _, text in applications.check_same()]
        assert [text for text in texts if text.endswith("minority")] == [f"reject@{n} minority" for n in (1, 2, 3)]
        assert [text for text in texts if text.endswith("goes on")] == [f"node {n} goes on" for n in (1, 2, 3)]
        cancelled = [text for text in texts if text.startswith("!")]
        assert len(cancelled) == 3 and all("does not want it" in text for text in cancelled), texts
        assert cluster[1].status()["writes"]["cancelled"] == 3, cluster[1].status()["writes"]


@limit(150)
def test_rejects_for_a_while():
    """An application that takes nothing for a while: on one node writes go on over its head, and then it has them all and
    counts again; on two of three each write is cancelled with the reason, and when they take writes again, writes go on."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        cluster.start()
        one, two, three = (host.node for host in cluster)
        with rejecting(applications, one):
            for number in range(10):
                answer = write(cluster[1 + number % 3], f"over its head {number}", timeout=20)
                assert answer.rc == 0, str(answer)
        applications[three].pause()
        applications.wait_state(three, "hung")
        answer = write(cluster[two], "with its help", timeout=20)
        assert answer.rc == 0, str(answer)
        applications[three].resume()
        applications.wait_state(three, "healthy")
        with rejecting(applications, two, three):
            for number in range(5):
                answer = write(cluster[1 + number % 3], f"never {number}", timeout=20)
                assert answer.rc == 109 and "does not want it" in answer.json["reason"], str(answer)
        answer = write(cluster[one], "after", timeout=20)
        assert answer.rc == 0, str(answer)
        texts = [text for _, text in applications.check_same()]
        assert [text for text in texts if not text.startswith("!")] == [
            *(f"over its head {number}" for number in range(10)), "with its help", "after"], texts
        assert len([text for text in texts if text.startswith("!")]) == 5, texts


@contextlib.contextmanager
def rejecting(applications: Applications, *nodes: int):
    files = [applications.store(node) + ".reject" for node in nodes]
    for file in files:
        with open(file, "wb"):
            pass
    yield
    for file in files:
        os.unlink(file)


@limit(120)
def test_results_and_queries():
    """The result of the application comes back to the writer on any node, the answer of the master's to the reader."""
    with attached_cluster() as cluster, Applications(cluster, max_pending=1) as applications:
        cluster.start()
        for number, host in enumerate(cluster, 1):
            answer = host.ctl("write", input=f"write {number}", as_json=False)
            assert answer.rc == 0 and f"line {number}" in answer.out, str(answer)
        for host in cluster:
            answer = host.ctl("read", input="count", as_json=False)
            assert answer.rc == 0 and answer.out.startswith("3"), str(answer)
        assert [text for _, text in applications.check_same()] == ["write 1", "write 2", "write 3"]


@limit(120)
def test_daemon_and_application_started_again():
    """Each in turn, on each node, with writes meanwhile: each application has each write once."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        cluster.start()
        written = 0
        for host in cluster:
            other = cluster.others(host.node)[0]
            host.daemon.kill()
            written = write_some(other, written)
            host.daemon.start()
            cluster.wait_master()
            applications[host.node].kill()
            written = write_some(other, written)
            applications[host.node].start()
            applications.wait_state(host.node, "healthy")
        texts = [text for _, text in applications.check_same()]
        assert texts == [f"write {number}" for number in range(written)], texts


def write_some(host, written: int) -> int:
    """Three more, each until it is confirmed. A repetition would show: each assentctl has a client id of its own."""
    for _ in range(3):
        answer = write(host, f"write {written}", timeout=20)
        assert answer.rc == 0, str(answer)
        written += 1
    return written


@limit(120)
def test_dies_of_a_write():
    """Two of three applications die each time they are asked for the same write: it is cancelled, and they live on."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        cluster.start()
        healthy = cluster[3]
        assert write(healthy, "before").rc == 0
        answer = write(healthy, "die@1,2 poison", timeout=1)
        assert answer.rc in NOT_DONE, str(answer)
        for node in (1, 2):
            for life in range(1, 4):
                wait_for(lambda node=node: not applications[node].alive, 15, f"death {life} of node {node}'s application")
                wait_for(lambda node=node: applications.state(node) == "absent", 15, f"node {node} to see it")
                applications[node].start()
        told = answer.json

        def cancelled():
            return healthy.ctl("outcome", told["client"], told["sequence"]).json["outcome"] == "cancelled"

        wait_for(cancelled, 30, "the write to be cancelled")
        assert write(healthy, "after", timeout=20).rc == 0
        texts = [text for _, text in applications.check_same()]
        assert texts[0] == "before" and texts[-1] == "after" and len(texts) == 3, texts
        assert re.match("!.*died 3 times", texts[1]), texts


@limit(150)
def test_diverged():
    """The master's application stores something else than the others: it is found, writes go on without it, and it is not
    taken back, by a daemon started again either, until it begins with an empty store."""
    with attached_cluster("digest_every: 4\n") as cluster, Applications(cluster) as applications:
        master = cluster.start()
        liar, other = master.node, cluster.others(master.node)[0]
        write_some(master, 0)
        assert write(other, f"lie@{liar} at home").rc == 0
        wait_for(lambda: write(other, f"lie@{liar} again", timeout=20).rc == 0 and applications.state(liar) == "diverged", 30,
                 "the liar to be found", interval=0.2)
        assert applications[liar].wait_exit(10) == 3
        wait_for(lambda: cluster.wait_master().node != liar, 20, "a node without an application to give mastership away")
        reason = cluster[liar].status()["application"]["reason"]
        assert "of a majority" in reason, reason
        for node in (host.node for host in cluster.others(liar)):
            assert applications.state(node) == "healthy", applications.state(node)
        applications[liar].start()
        assert applications[liar].wait_exit(10) == 3, "it is not taken back"
        master.daemon.stop()
        master.daemon.start()
        wait_for(lambda: applications.state(liar) == "diverged", 20, "it to be known after a restart")
        applications[liar].start()
        assert applications[liar].wait_exit(10) == 3, "it is not taken back"
        os.unlink(applications.store(liar))
        applications[liar].start()
        applications.wait_state(liar, "healthy")
        texts = [text for _, text in applications.check_same()]
        assert "a lie" not in texts and f"lie@{liar} at home" in texts, texts


@limit(150)
def test_diverged_and_restored():
    """A slave's application stores something else than the others: writes go on, and a snapshot of another node brings it
    back, with all that came after it."""
    with attached_cluster("digest_every: 4\n") as cluster, Applications(cluster) as applications:
        master = cluster.start()
        liar, healthy = cluster.others(master.node)
        file = os.path.join(cluster.folder, "kv.snapshot")
        write_some(master, 0)
        cluster.wait_same()
        saved = healthy.ctl("snapshot", "save", file, timeout=20)
        assert saved.rc == 0, str(saved)
        assert write(master, f"lie@{liar.node} at home").rc == 0
        wait_for(lambda: write(master, "more", timeout=20).rc == 0 and applications.state(liar.node) == "diverged", 30,
                 "the liar to be found", interval=0.2)
        assert applications[liar.node].wait_exit(10) == 3
        restore = Process("restore", liar.namespaces, [liar.build.program("assentctl"), "-t", "60", "snapshot", "restore", file],
                          os.path.join(liar.folder, "log/restore.log"))
        restore.start()
        # Refused until the daemon has the request for it.
        wait_for(lambda: taken_back(applications, liar.node), 30, "it to be taken for the snapshot")
        assert restore.wait_exit(60) == 0, restore.log_tail()
        applications.wait_state(liar.node, "healthy")
        assert write(liar, "after it").rc == 0
        texts = [text for _, text in applications.check_same()]
        assert "a lie" not in texts and f"lie@{liar.node} at home" in texts and texts[-1] == "after it", texts


def taken_back(applications: Applications, node: int) -> bool:
    if not applications[node].alive:
        applications[node].start()
    return any("loaded a snapshot" in line for line in applications[node].log_tail())


@limit(150)
def test_snapshots():
    """Saved on one node and restored on another, which goes back to it and gets the rest again; and what becomes of it
    when the application is killed in the middle of either."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        master = cluster.start()
        written = write_some(master, 0)
        here, there = cluster.others(master.node)
        file = os.path.join(cluster.folder, "kv.snapshot")
        cluster.wait_same()
        saved = here.ctl("snapshot", "save", file, timeout=20)
        assert saved.rc == 0 and saved.json["group"] == "kv" and saved.json["bytes"] > 0, str(saved)
        assert here.ctl("snapshot", "inspect", file).json == dict(saved.json, file=file)
        written = write_some(master, written)
        restored = there.ctl("snapshot", "restore", file, timeout=20)
        assert restored.rc == 0, str(restored)
        assert any("loaded a snapshot" in line for line in applications[there.node].log_tail())
        texts = [text for _, text in applications.check_same()]
        assert texts == [f"write {number}" for number in range(written)], texts

        die(applications, here.node)
        broken = os.path.join(cluster.folder, "broken.snapshot")
        answer = here.ctl("snapshot", "save", broken, timeout=20)
        assert answer.rc == 1 and "went away" in answer.err, str(answer)
        assert [name for name in os.listdir(cluster.folder) if name.startswith("broken")] == []
        applications[here.node].wait_exit(10)
        applications[here.node].start()

        die(applications, there.node)
        restore = Process("restore", there.namespaces, [there.build.program("assentctl"), "-t", "60", "snapshot", "restore", file],
                          os.path.join(there.folder, "log/restore.log"))
        restore.start()
        assert applications[there.node].wait_exit(20) == 9
        applications[there.node].start()
        assert restore.wait_exit(60) == 0, restore.log_tail()
        written = write_some(master, written)
        texts = [text for _, text in applications.check_same()]
        assert texts == [f"write {number}" for number in range(written)], texts
        check_refusals(there, file)


def die(applications: Applications, node: int) -> None:
    with open(applications.store(node) + ".die", "wb"):
        pass


def check_refusals(host, file: str) -> None:
    """Of what is damaged, of another cluster, and of what is no snapshot."""
    with open(file, "rb") as good:
        whole = good.read()
    for what, content in (("damaged", whole[:-1] + b"?"), ("short", whole[:-1]), ("else", b"something else")):
        bad = f"{file}.{what}"
        with open(bad, "wb") as out:
            out.write(content)
        assert host.ctl("snapshot", "inspect", bad).rc == 65
        answer = host.ctl("snapshot", "restore", bad)
        assert answer.rc == 65, str(answer)


@limit(90)
def test_second_application():
    """It is refused while the first one is well, takes over when that hangs, and status says who is missing."""
    with attached_cluster(size=1) as cluster:
        host = cluster[1]
        cluster.start_corosync()
        host.daemon.start()
        wait_for(lambda: (host.status() or {})["application"]["state"] == "absent", 20, "status to say that there is none")
        with Applications(cluster) as applications:
            cluster.wait_master()
            applications.wait_state(1, "healthy")
            assert write(host, "of the first").rc == 0
            second = Process("second application", host.namespaces, applications.command(host, 0),
                             os.path.join(host.folder, "log/second.log"))
            second.start()
            try:
                wait_for(lambda: any("next 0 an application is attached already" in line for line in second.log_tail()), 15,
                         "the second one to be refused")
                assert write(host, "of the first too").rc == 0
                applications[1].pause()
                wait_for(lambda: any("attach: 0" in line for line in second.log_tail()), 15, "it to take over")
                assert write(host, "of the second").rc == 0
                applications[1].resume()
                assert applications[1].wait_exit(10) == 3
            finally:
                second.kill()
        texts = [text for _, text in applications.lines(1)]
        assert texts == ["of the first", "of the first too", "of the second"], texts
