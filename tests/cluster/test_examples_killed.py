"""Each program of examples/ under kill -9 of applications, daemons and whole hosts, while clients write through every node:
nothing confirmed is lost, nothing cancelled appears, nothing is there twice, and the replicas are equal. A host that is killed
loses what its daemon and its application had written and not synced.

ASSENT_EXAMPLES_SECONDS says how long each is tormented (10), ASSENT_EXAMPLES_SEED with which faults (the first: 1).
"""

import json
import os
import random
import sqlite3
import struct
import time
from collections import Counter

from assentcluster import Cluster, example
from assentcluster.clients import Clients, Tally
from assentcluster.shim import Shim
from assentcluster.testing import limit

SECONDS = int(os.environ.get("ASSENT_EXAMPLES_SECONDS", "10"))
SEED = int(os.environ.get("ASSENT_EXAMPLES_SEED", "1"))
LIMIT = SECONDS + 400
AGAIN = 90  # seconds until writes are confirmed again; a host needs ten, on a machine that does much else a multiple


def disks(program: example.Example) -> dict[int, list[Shim]]:
    """Of daemon and application, by node. The application is started again with its own."""
    found = {host.node: [Shim(host), Shim(host, program.of[host.node], program.store[host.node], "-application")]
             for host in program.cluster}
    for node in found:
        program.restart(node)
    return found


def kill(program: example.Example, kind: str, nodes: list[int]) -> None:
    """Every process of the kind on these nodes, and only then are they waited for. A host is all its processes."""
    victims = []
    for node in nodes:
        host = program.cluster[node]
        victims += {"application": [program.of[node]], "daemon": [host.daemon],
                    "host": [host.corosync, host.daemon, program.of[node]]}[kind]
    for victim in victims:
        if victim.alive:
            victim.signal(9)
    for victim in victims:
        victim.wait_exit(30)


def start(program: example.Example, kind: str, nodes: list[int]) -> None:
    for node in nodes:
        host = program.cluster[node]
        if kind == "host":
            host.corosync.start()
        if kind != "application":
            host.daemon.start()
        if kind != "daemon":
            program.of[node].start()


def torment(program: example.Example, clients: Clients, shims: dict[int, list[Shim]], chance: random.Random) -> Counter:
    """Until the time is over. Returns how many of each kind were killed, and how many writes they lost."""
    kills: Counter = Counter()
    deck: list[str] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        deck = deck or chance.sample(["application", "daemon", "host"], 3)
        kind = deck.pop()
        nodes = chance.sample(list(program.of), chance.choices([1, 2, 3], [6, 2, 1])[0])
        kill(program, kind, nodes)
        kills[kind] += len(nodes)
        if kind == "host":
            kills["unsynced write"] += sum(shim.roll_back(chance) for node in nodes for shim in shims[node])
        time.sleep(chance.choice([0, 0, 0.5, 2]))  # how long it is away
        start(program, kind, nodes)
        more = chance.choice([0, 0, 1, 20])  # 0: the next one comes while this one is still coming up
        if more:
            clients.wait_confirmed(more, AGAIN)
    clients.wait_confirmed(1, AGAIN)
    return kills


def killed(cluster: Cluster, program: example.Example, make, read, prepare=None) -> tuple[Tally, object]:
    """Starts, torments, lets all come up again. Returns what was written, and what all stores have."""
    assent = example.python_binding(cluster.build)
    shims = disks(program)
    cluster.start()
    program.wait_healthy()
    if prepare:
        prepare()
    with Clients(cluster, assent, make, SEED) as clients:
        clients.wait_confirmed(1, AGAIN)
        kills = torment(program, clients, shims, random.Random(SEED))
        tally = clients.stop()
    content = program.same_stores(read, AGAIN)
    print(f"# seed {SEED}, {SECONDS} s: {len(tally.confirmed)} confirmed, {len(tally.cancelled)} cancelled, "
          f"{len(tally.not_done)} not done, {len(tally.unknown)} unknown (of {tally.found_out} more it was found out); killed: "
          + ", ".join(f"{count} {kind}s" for kind, count in sorted(kills.items())))
    return tally, content


def check_texts(tally: Tally, present: list[str]) -> None:
    """Writes that all differ, and how their traces are found in the stores: exactly those that were confirmed are there."""
    times = Counter(present)
    twice = [text for text, number in times.items() if number > 1]
    assert not twice, f"there twice: {twice}"
    lost = [write for write in tally.confirmed if write.data.decode() not in times]
    assert not lost, f"confirmed, and not there: {lost}"
    risen = [write for write in tally.cancelled + tally.not_done if write.data.decode() in times]
    assert not risen, f"cancelled or not done, and there: {risen}"
    known = {write.data.decode() for write in tally.confirmed + tally.unknown}
    assert set(times) <= known, f"nobody wrote {set(times) - known}"


def check_results(tally: Tally, wanted: dict[int, bytes]) -> None:
    """What the clients were told is what comes of the confirmed writes, done in their order. (A result that died with an
    application is told as such: the reply is not ok.)"""
    wrong = [(write, wanted[write.reply.index]) for write in tally.confirmed
             if write.reply.ok and write.reply.data != wanted[write.reply.index]]
    assert not wrong, f"result, and what it should be: {wrong[:5]}"


# ---- jobqueue


class Jobs:
    """Writes for the queue, and the queue itself once more: what each confirmed write's result has to be."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)
        self.number = 0

    def make(self) -> bytes:
        self.number += 1
        verb = self.chance.choices(["add {0} mow", "take {0}", "done {1} by {0}", "mow {0}"], [10, 5, 4, 1])[0]
        return verb.format(f"w{self.number}", self.chance.randint(2, 2 * self.number)).encode()

    @staticmethod
    def read(path: str) -> list[tuple[int, str]]:
        """The records of a store: index and text."""
        with open(path, "rb") as store:
            data = store.read()
        records, at = [], 24
        while at < len(data):
            index, length = struct.unpack_from("=QQ", data, at)
            records.append((index, data[at + 16:at + 16 + length].decode()))
            at += 16 + length
        return records

    @staticmethod
    def results(records: list[tuple[int, str]]) -> dict[int, bytes]:
        jobs: dict[int, list[str]] = {}
        results = {}
        for index, text in records:
            verb, what = text.split(" ", 1)
            free = next((number for number, job in jobs.items() if not job[1]), 0)
            if verb == "add":
                jobs[index] = [what, ""]
                results[index] = str(index)
            elif verb == "take":
                results[index] = f"{free} {jobs[free][0]}" if free else ""
                if free:
                    jobs[free][1] = what
            else:
                results[index] = "done" if jobs.pop(int(what.split()[0]), None) else ""
        return {index: result.encode() for index, result in results.items()}


@limit(LIMIT)
def test_jobqueue():
    with example.attached_cluster() as cluster, example.jobqueue(cluster) as queue:
        jobs = Jobs()
        tally, records = killed(cluster, queue, jobs.make, Jobs.read)
        check_texts(tally, [text for _, text in records])
        texts = dict(records)
        for write in tally.confirmed:
            assert texts[write.reply.index] == write.data.decode(), f"{write} is another at its index"
        check_results(tally, Jobs.results(records))
        # One that is asked about again, by us or by the library, is told the outcome without the reason.
        reasons = Counter("neither" in write.reply.reason for write in tally.cancelled if write.data.startswith(b"mow"))
        assert reasons[True] > 0 or not reasons[False], [write.reply for write in tally.cancelled]
        assert not any(write.data.startswith(b"mow") for write in tally.confirmed)


# ---- sqlite


class Rows:
    """A third of the writes is against a constraint: a seat that is taken perhaps, a seat below 0 surely, alone or as the
    second of two statements."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)
        self.number = 0

    def make(self) -> bytes:
        self.number += 1
        return self.chance.choices(["INSERT INTO seats VALUES('{0}', {1})",
                                    "INSERT INTO seats VALUES('{0}', -1)",
                                    "INSERT INTO log VALUES('{0}'); INSERT INTO seats VALUES('{0}', -2)",
                                    "INSERT INTO log VALUES('{0}'); UPDATE total SET n = n + 1"], [5, 1, 1, 3])[0].format(
            f"w{self.number}", self.chance.randint(0, self.number)).encode()

    @staticmethod
    def read(path: str) -> list[str]:
        """The whole content, as SQL."""
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return list(database.iterdump())
        finally:
            database.close()


TABLES = ("CREATE TABLE seats(name TEXT PRIMARY KEY, seat INTEGER UNIQUE CHECK(seat >= 0));"
          "CREATE TABLE log(name TEXT PRIMARY KEY); CREATE TABLE total(n INTEGER); INSERT INTO total VALUES(0)")


def name_of(sql: str) -> str:
    return sql.split("'")[1]


@limit(LIMIT)
def test_sqlite():
    with example.attached_cluster() as cluster, example.sqlite(cluster) as sqlite:
        def prepare() -> None:
            made = sqlite.client(cluster[1], "write", TABLES)
            assert made.returncode == 0, str(made)

        tally, dump = killed(cluster, sqlite, Rows().make, Rows.read, prepare)
        database = sqlite3.connect(":memory:")
        database.executescript("\n".join(dump))
        seats = dict(database.execute("SELECT name, seat FROM seats"))
        log = [name for name, in database.execute("SELECT name FROM log")]
        for write in tally.confirmed + tally.cancelled + tally.not_done + tally.unknown:
            write.sql, write.data = write.data.decode(), name_of(write.data.decode()).encode()
        check_texts(tally, list(seats) + log)
        assert database.execute("SELECT n FROM total").fetchone() == (len(log),)
        assert not any(", -" in write.sql for write in tally.confirmed), "confirmed against a constraint"
        reasons = Counter("UNIQUE" if "UNIQUE constraint" in write.reply.reason else
                          "CHECK" if "CHECK constraint" in write.reply.reason else write.reply.reason
                          for write in tally.cancelled)
        print(f"# cancelled: {dict(reasons)}")
        for write in tally.cancelled:
            if "UNIQUE" in write.reply.reason:
                seat = int(write.sql.split(",")[1].strip(" )"))
                assert seat in seats.values(), f"{write}: that seat is free"


# ---- port-from-cpg


@limit(LIMIT)
def test_port():
    with example.attached_cluster() as cluster, example.after(cluster) as after:
        chance, number = random.Random(SEED), iter(range(1, 1 << 30))

        def make() -> bytes:
            return f"w{next(number)} {chance.choice([1, 1, 1, 1, 'x'])}".encode()

        def read(path: str) -> list[str]:
            with open(path, encoding="ascii") as store:
                return store.read().splitlines()

        tally, lines = killed(cluster, after, make, read)
        texts = dict(line.split(" ", 1) for line in lines if not line.startswith("cluster"))
        check_texts(tally, list(texts.values()))
        for write in tally.confirmed:
            assert texts[str(write.reply.index)] == write.data.decode(), f"{write} is another at its index"
        assert not any(write.data.endswith(b"x") for write in tally.confirmed)


# ---- Python


@limit(LIMIT)
def test_counter():
    with example.attached_cluster() as cluster, example.counter(cluster) as counters:
        chance = random.Random(SEED)

        def make() -> bytes:
            return b"%+d" % chance.choice([chance.randint(1, 9), -chance.randint(1, 5), -(10 ** 12)])

        def read(path: str) -> dict:
            with open(path, encoding="ascii") as store:
                return json.load(store)

        tally, store = killed(cluster, counters, make, read)
        assert not tally.unknown, f"nobody knows what became of {tally.unknown}"
        total, sums = 0, {}
        for write in tally.confirmed:
            total += int(write.data)
            sums[write.reply.index] = b"%d" % total
        check_results(tally, sums)
        assert store["sum"] == total, f"{store['sum']}, not {total}"
        assert not any(write.data == b"-%d" % 10 ** 12 for write in tally.confirmed)
