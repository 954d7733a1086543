"""The programs of examples/ and the Python binding on real clusters: the library, the daemon, their own stores.

test_examples_killed.py has them under kill -9.
"""

import asyncio
import json

from assentcluster import Cluster, example, wait_for
from assentcluster.testing import limit

LINES = 20


def whole(path: str) -> bytes:
    with open(path, "rb") as store:
        return store.read()


@limit(300)
def test_jobqueue():
    """Jobs go in and out by way of every node; what is no job is rejected by all and cancelled; two of three hang and
    nothing is confirmed; one of them is killed and started again: it gets what it missed."""
    with example.attached_cluster() as cluster, example.jobqueue(cluster) as queue:
        master = cluster.start()
        queue.wait_healthy()
        for host in cluster:
            added = queue.client(host, "add", f"job of {host.node}")
            assert added.returncode == 0, str(added)
        taken = queue.client(cluster[2], "take", "ann")
        assert taken.returncode == 0 and "job of 1" in taken.stdout, str(taken)
        refused = cluster[3].ctl("write", input="nonsense")
        assert refused.rc == 109, str(refused)

        hung = [host.node for host in cluster.others(master.node)]
        for node in hung:
            queue.of[node].pause()
        answer = master.ctl("write", timeout=2, input="add in hand")
        assert answer.rc in (106, 112), str(answer)
        queue.restart(hung[0])
        wait_for(lambda: "in hand" in queue.client(master, "list").stdout, 20, "the job in hand to be there")
        queue.of[hung[1]].resume()
        store = queue.same_stores(whole)
        assert store.count(b"in hand") == 1 and b"nonsense" not in store


@limit(300)
def test_sqlite():
    """Rows by way of every node; a constraint makes every application reject: cancelled, and the databases stay equal."""
    with example.attached_cluster() as cluster, example.sqlite(cluster) as sqlite:
        cluster.start()
        sqlite.wait_healthy()
        made = sqlite.client(cluster[1], "write", "CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER CHECK(v < 100))")
        assert made.returncode == 0, str(made)
        for host in cluster:
            done = sqlite.client(host, "write", f"INSERT INTO t VALUES('{host.node}', {host.node})")
            assert done.returncode == 0, str(done)
        for bad in ("INSERT INTO t VALUES('1', 7)", "INSERT INTO t VALUES('x', 100)", "no SQL at all"):
            refused = sqlite.client(cluster[2], "write", bad)
            assert refused.returncode == 109, str(refused)
        assert sqlite.client(cluster[3], "write", "UPDATE t SET v = v + 10").returncode == 0
        rows = {host.node: sqlite.client(host, "read", "SELECT k, v FROM t ORDER BY k").stdout for host in cluster}
        assert set(rows.values()) == {"1|11\n2|12\n3|13\n"}, str(rows)


# ---- port-from-cpg: the same play for the program on libcpg and for that on libassent


class Members:
    """One of the two programs on every host, fed with lines."""

    def __init__(self, programs: example.Example) -> None:
        self.programs = programs

    def send(self, node: int, name: str) -> list[str]:
        lines = [f"{name} {number}" for number in range(LINES)]
        for line in lines:
            self.programs.of[node].say(line)
        return lines

    def added(self, node: int) -> int:
        """How often the sender was told that a line is added."""
        with open(self.programs.of[node].log, encoding="utf-8", errors="replace") as log:
            return sum(line.startswith("added") for line in log)

    def stored(self, node: int) -> list[str]:
        """The lines of its store, without what `after` puts before them."""
        with open(self.programs.store[node], encoding="utf-8") as store:
            lines = [line.rstrip("\n") for line in store if line.endswith("\n")]
        return [" ".join(line.split()[-2:]) for line in lines if not line.startswith("cluster")]

    def wait_stored(self, lines: list[str], *nodes: int) -> None:
        for node in nodes:
            wait_for(lambda node=node: set(lines) <= set(self.stored(node)), 60, f"node {node} to have {lines[0]} …")

    def lacks(self, node: int, lines: list[str]) -> list[str]:
        return [line for line in lines if line not in self.stored(node)]


def play(members: Members, wait_back) -> tuple[list[str], list[str]]:
    """Node 1 sends while the reader of node 3 hangs, which is killed then; and again while that of node 2 is dead. Returns
    the lines of each time: node 1 was told "added" for all of them."""
    programs = members.programs
    before = members.send(1, "before")
    members.wait_stored(before, 1, 2, 3)
    programs.of[3].pause()
    while_hung = members.send(1, "hung")
    members.wait_stored(while_hung, 1, 2)
    programs.restart(3)
    wait_back(3)
    programs.of[2].kill()
    while_dead = members.send(1, "dead")
    members.wait_stored(while_dead, 1, *([3] if members.lacks(3, while_hung) else []))
    programs.of[2].start()
    wait_back(2)
    members.wait_stored(members.send(1, "last"), 1, 2, 3)
    wait_for(lambda: members.added(1) == 4 * LINES, 30, "the sender to be told of all its lines")
    return while_hung, while_dead


@limit(300)
def test_port_before():
    """On libcpg a reader that hangs and is killed, or is just killed, lacks what was sent for ever; the sender is told that
    it was added. With two of three readers hung, too."""
    with Cluster() as cluster:
        cluster.start_corosync()
        with example.before(cluster) as programs:
            members = Members(programs)

            def wait_back(node: int) -> None:
                wait_for(lambda: "3 members\n" in programs.of[node].log_tail(1), 30, f"node {node} to see 3 members")

            for node in cluster.hosts:
                wait_for(lambda node=node: any("members" in line for line in programs.of[node].log_tail(2)), 30,
                         f"node {node} to have joined")
            wait_for(lambda: any(line == "3 members\n" for line in programs.of[1].log_tail()), 30, "3 members")
            while_hung, while_dead = play(members, wait_back)
            assert members.lacks(3, while_hung) == while_hung, "a reader that was killed was given what it had in hand"
            assert members.lacks(2, while_dead) == while_dead
            for node in (2, 3):
                programs.of[node].pause()
            of_one = members.send(1, "alone")
            wait_for(lambda: members.added(1) == 5 * LINES, 30, "the sender to be told that the lines are added")
            for node in (1, 2, 3):
                programs.restart(node)
            for node in (1, 2, 3):
                wait_back(node)  # else it would lack what is sent now, too
            members.wait_stored(members.send(2, "at-the-end"), 1, 2, 3)
            assert [members.lacks(node, of_one) for node in (1, 2, 3)] == [[], of_one, of_one]
            print(f"# libcpg: of 100 lines that were called added, node 3 lacks "
                  f"{len(members.lacks(3, while_hung + while_dead + of_one))}, node 2 "
                  f"{len(members.lacks(2, while_hung + while_dead + of_one))}")


@limit(300)
def test_port_after():
    """The same on libassent: each has every line that was called added, once; and none is called so while two of three
    readers hang."""
    with example.attached_cluster() as cluster, example.after(cluster) as programs:
        cluster.start()
        programs.wait_healthy()
        members = Members(programs)
        while_hung, while_dead = play(members, lambda node: programs.wait_healthy([node]))
        programs.same_stores(whole)
        assert not members.lacks(3, while_hung + while_dead) and not members.lacks(2, while_hung + while_dead)
        for node in (2, 3):
            programs.of[node].pause()
        of_one = members.send(1, "alone")

        def told() -> int:
            with open(programs.of[1].log, encoding="utf-8") as log:
                return sum(line.startswith(("unknown", "refused")) for line in log)

        wait_for(lambda: told() == LINES, 60, "the sender to be told that the lines are not, or may not be, added")
        assert members.added(1) == 4 * LINES
        for node in (1, 2, 3):
            programs.restart(node)
        programs.wait_healthy()
        members.wait_stored(members.send(2, "at-the-end"), 1, 2, 3)
        programs.same_stores(whole)
        lines = members.stored(1)
        assert len(lines) == len(set(lines)), "a line is there twice"
        print(f"# libassent: of 80 lines that were called added no node lacks any; of {len(of_one)} that were not, all have "
              f"the same {LINES - len(members.lacks(1, of_one))}")


# ---- Python


async def count(assent, cluster: Cluster, counters: example.Example) -> None:
    clients = [assent.Client("kv", host.unix_socket, timeout_ms=20_000) for host in cluster]
    async with clients[0], clients[1], clients[2]:
        for node, client in enumerate(clients, 1):
            reply = await client.write(b"+%d" % node)
            assert reply.outcome == assent.Outcome.CONFIRMED and reply.data == b"%d" % sum(range(node + 1)), str(reply)
        refused = await clients[1].write(b"-7")
        assert refused.outcome == assent.Outcome.CANCELLED and "the sum is 6" in refused.reason, str(refused)
        for bad in (b"", b"seven", b"+" + 5000 * b"1"):
            refused = await clients[2].write(bad)
            assert refused.outcome == assent.Outcome.CANCELLED and "neither" in refused.reason, str(refused)
        assert (await clients[0].outcome(refused.id)).outcome == assent.Outcome.CANCELLED
        counters.of[2].kill()
        reply = await clients[0].write(b"-6")
        assert reply.ok and reply.data == b"0" and (await clients[2].read()).data == b"0", str(reply)
        counters.of[2].start()
        read = await clients[1].read(level=assent.Level.APPLIED_AFTER, index=reply.index)
        assert read.data == b"0", str(read)
        cluster[1].daemon.kill()
        late = asyncio.ensure_future(clients[0].write(b"+4"))
        assert (await clients[1].write(b"+3")).ok
        cluster[1].daemon.start()
        assert (await late).ok and (await clients[0].outcome((await late).id)).index == (await late).index
        assert (await clients[2].read()).data == b"7"


@limit(300)
def test_python():
    """The clustered counter as application, and the binding as client of each node: results, reasons, outcomes; over the
    death of an application and of a daemon."""
    with example.attached_cluster() as cluster, example.counter(cluster) as counters:
        assent = example.python_binding(cluster.build)
        cluster.start()
        counters.wait_healthy()
        asyncio.run(count(assent, cluster, counters))
        store = json.loads(counters.same_stores(whole))
        assert store["sum"] == 7, store
