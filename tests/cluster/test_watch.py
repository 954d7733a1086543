"""Watching confirmed writes on real clusters: each one once, in index order, over the death of daemons."""

import json
import os
import sys
import time

from assentcluster import Cluster, Load, wait_for
from assentcluster.build import TOP
from assentcluster.process import Process
from assentcluster.testing import limit
from test_attached import Applications, attached_cluster, write

LIBRARY_WATCH = """
import asyncio, assent
async def main():
    async with assent.Client("kv", "/run/assent/assentd.sock") as client:
        async for seen in client.watch(1):
            if seen.id:
                print(seen.index, flush=True)
asyncio.run(main())
"""


ATTACHED_WATCH = LIBRARY_WATCH.replace("if seen.id:", "if seen.id and seen.data:").replace(
    "seen.index,", "seen.index, seen.data.decode(),")


class Watcher:
    """A program of a host that prints what it is shown into a file."""

    def __init__(self, host, name: str, argv: list[str], env: dict[str, str] | None = None) -> None:
        self.output = os.path.join(host.folder, f"log/{name}.out")
        self.process = Process(f"{name} of node {host.node}", host.namespaces, argv, self.output, env)

    def __enter__(self) -> "Watcher":
        self.process.start()
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()

    def lines(self) -> list[str]:
        with open(self.output, encoding="utf-8") as output:
            return [line for line in output.read().splitlines() if line and line[0] in "{0123456789"]

    def writes(self) -> list[str]:
        """What an attached group was given to write."""
        return [json.loads(line)["data"] if line[0] == "{" else line.split(" ", 1)[1] for line in self.lines()]

    def indexes(self) -> list[int]:
        return [json.loads(line)["index"] if line[0] == "{" else int(line) for line in self.lines()]


def assentctl_watch(host, *more: str) -> Watcher:
    return Watcher(host, "watch" + "".join(more), [host.build.program("assentctl"), "-o", "json", "watch", "--from", "1", *more])


def library_watch(host, program: str = LIBRARY_WATCH) -> Watcher:
    folder = os.path.join(host.build.folder, "src/lib/.libs")
    env = {"PYTHONPATH": os.path.join(TOP, "bindings/python"), "LD_LIBRARY_PATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    return Watcher(host, "library-watch", [sys.executable, "-c", program], env)


@limit(150)
def test_watch_over_a_kill():
    """One by assentctl and one by the library, on the master, whose daemon is killed while clients write: both see every
    confirmed write once and in order, and so does one that comes afterwards, on another node, out of the ledger."""
    with Cluster() as cluster:
        master = cluster.start()
        with assentctl_watch(master) as one, library_watch(master) as two:
            with Load(cluster, clients=8) as load:
                wait_for(lambda: one.indexes() and two.indexes(), 30, "both to see something")
                moment = master.daemon.kill()
                load.wait_confirmed(moment, [host.node for host in cluster.others(master.node)])
                master.daemon.start()
                cluster.wait_master()
                load.wait_confirmed(time.monotonic())
            load.check()
            confirmed = {record.index for record in load.confirmed()}
            last = max(confirmed)
            for watcher in (one, two):
                wait_for(lambda watcher=watcher: watcher.indexes()[-1:] >= [last], 30, f"index {last} to be seen")
                assert watcher.process.alive
            with assentctl_watch(cluster.others(master.node)[0], "--limit", str(len(one.indexes()))) as late:
                assert late.process.wait_exit(30) == 0
            seen = late.indexes()
            assert one.indexes() == seen and two.indexes() == seen, "not all saw the same"
            assert seen == sorted(set(seen)), "not each once and in order"
            assert confirmed <= set(seen), f"not seen: {sorted(confirmed - set(seen))[:5]}"
            print(f"# {len(seen)} writes seen, {len(confirmed)} of them confirmed to their clients")


@limit(90)
def test_watch_a_prefix():
    """What assentctl prints; and that it ends when it has seen enough, or its time is over."""
    with Cluster(size=1) as cluster:
        host = cluster.start()
        assert host.put("app/a", "1").rc == 0
        assert host.put("other", "2").rc == 0
        assert host.ctl("cas", "app/a", "1", "3").rc == 0
        assert host.ctl("del", "app/a").rc == 0
        answer = host.ctl("watch", "--from", "1", "app/", timeout=2, limit=20, as_json=False)
        assert answer.rc == 0, str(answer)
        lines = [line.split("\t")[1:] for line in answer.out.splitlines()]
        assert lines == [["put", "app/a", "1"], ["cas", "app/a", "1", "3"], ["del", "app/a"]], answer.out
        answer = host.ctl("watch", "--from", "1", "--limit", "2", timeout=20)
        assert answer.rc == 0 and len(answer.out.splitlines()) == 2, str(answer)
        answer = host.ctl("watch", group="nobody", timeout=20)
        assert answer.rc == 65 and "nobody" in answer.err, str(answer)


@limit(120)
def test_watch_an_attached_group():
    """On the node whose own application is gone: what the group confirms is seen, what it cancels is not."""
    with attached_cluster() as cluster, Applications(cluster) as applications:
        master = cluster.start()
        host = cluster.others(master.node)[0]
        with library_watch(host, ATTACHED_WATCH) as one, assentctl_watch(host, "--raw") as two:
            assert write(master, "first").rc == 0
            assert write(master, "reject@1,2,3 never").rc == 109
            applications[host.node].kill()
            applications.wait_state(host.node, "absent")
            assert write(master, "last", timeout=20).rc == 0
            for watcher in (one, two):
                wait_for(lambda watcher=watcher: "last" in watcher.writes(), 30, "the last write to be seen")
                assert watcher.writes() == ["first", "last"], watcher.lines()
                assert watcher.process.alive
