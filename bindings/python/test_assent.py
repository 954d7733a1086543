#!/usr/bin/python3
"""The Python binding against a scripted daemon. Run by `make check` in the build folder."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import unittest
from typing import Any, Awaitable, Callable, List

os.environ.setdefault("ASSENT_LIBRARY", os.path.abspath("src/lib/.libs/libassent.so"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import assent  # noqa: E402  pylint: disable=wrong-import-position
from assent import Application, AssentError, Attachment, Cannot, Client, Cluster, Entry, Outcome, WriteId  # noqa: E402
from scripted_daemon import LIMIT, Daemon, message, parse  # noqa: E402


class App(Application):
    def __init__(self, path: str) -> None:
        super().__init__("jobs", path, max_pending=1)
        self.lines: List[str] = []

    def prepare(self, entry: Entry) -> None:
        if entry.data == b"bad":
            raise Cannot("it is bad")
        if entry.data == b"bug":
            raise RuntimeError("a bug")

    def confirm(self, entry: Entry) -> bytes:
        self.lines.append(f"confirm {entry.index} {entry.data.decode()}")
        return b"result"

    def query(self, data: bytes) -> bytes:
        return data + b"!"

    def attached(self, state: Attachment, reason: str, cluster: Cluster) -> None:
        self.lines.append(f"{state.name} {cluster.low}")

    def digest(self, index: int) -> int:
        return index + 1


class LateApp(App):
    """Its disk lags behind; and it has snapshots."""

    def durable(self, index: int) -> int:
        return index - 1

    def snapshot_save(self, fd: int) -> int:
        if not self.lines:
            raise OSError("the disk is full")
        os.write(fd, "\n".join(self.lines).encode())
        return 7

    def snapshot_load(self, fd: int, length: int, index: int, cluster: Cluster) -> None:
        text = os.read(fd, 1000)
        if text == b"bug":
            raise OSError("a bug")
        self.lines = [f"loaded {text.decode()} {length} {index} {cluster.high} {cluster.low}"]


def runs(test: Callable[[Any], Awaitable[None]]) -> Callable[[Any], None]:
    return lambda self: asyncio.run(asyncio.wait_for(test(self), 3 * LIMIT))


class TestClient(unittest.TestCase):
    @runs
    async def test_write_read_and_watch(self) -> None:
        async with Daemon() as daemon, Client("jobs", daemon.path) as client:
            write = asyncio.ensure_future(client.write(b"data"))
            peer = await daemon.accept()
            self.assertEqual((await peer.greet())[3], [b"jobs"])
            request = await peer.request(7)
            self.assertEqual(parse(request[7][0])[1], [b"data"])
            peer.send(_2=message(_1=request[1][0], _4=42, _8=b"result"))
            reply = await write
            self.assertTrue(reply.ok)
            self.assertEqual((reply.outcome, reply.index, reply.data, reply.id.random),
                             (Outcome.CONFIRMED, 42, b"result", 11))
            read = asyncio.ensure_future(client.read(b"q"))
            request = await peer.request(8)
            peer.send(_2=message(_1=request[1][0], _2=65, _3=b"no such query"))
            self.assertEqual(((await read).outcome, (await read).reason), (Outcome.NOT_DONE, "no such query"))
            seen = []

            async def look() -> None:
                async for watched in client.watch(3):
                    seen.append((watched.index, watched.data))

            looking = asyncio.ensure_future(look())
            request = await peer.request(14)
            peer.send(_5=message(_1=request[1][0], _2=message(_1=4, _5=b"x"), _3=5))
            await peer.receive()
            peer.send(_2=message(_1=request[1][0], _2=1, _3=b"compacted"))
            with self.assertRaisesRegex(AssentError, "compacted"):
                await looking
            self.assertEqual(seen, [(4, b"x"), (5, b"")])

    @runs
    async def test_close_ends_what_waits(self) -> None:
        async with Daemon() as daemon:
            async with Client("jobs", daemon.path) as client:
                write = asyncio.ensure_future(client.write(b"data"))
                peer = await daemon.accept()
                await peer.greet()
                await peer.request(7)
            with self.assertRaises(AssentError):
                await write

    @runs
    async def test_outcome(self) -> None:
        async with Daemon() as daemon, Client("jobs", daemon.path) as client:
            peer = None
            for code, outcome in ((0, Outcome.CONFIRMED), (109, Outcome.CANCELLED), (112, Outcome.UNKNOWN)):
                asking = asyncio.ensure_future(client.outcome(WriteId(5, 11, 3)))
                if peer is None:
                    peer = await daemon.accept()
                    await peer.greet()
                request = await peer.request(9)
                asked = parse(request[9][0])
                self.assertEqual((parse(asked[1][0]), asked[2]), ({1: [5], 2: [11]}, [3]))
                peer.send(_2=message(_1=request[1][0], _2=code, _3=b"why", _4=42))
                reply = await asking
                self.assertEqual((reply.outcome, reply.code, reply.index, reply.reason, reply.id),
                                 (outcome, code, 42, "why", WriteId(5, 11, 3)))
            with self.assertRaises(AssentError):
                await client.outcome(WriteId(0, 0, 0))

    @runs
    async def test_a_full_queue_makes_writes_wait(self) -> None:
        async with Daemon() as daemon:
            client = Client("jobs", daemon.path)
            client._model.max_outstanding = 2
            async with client:
                writes = [asyncio.ensure_future(client.write(b"%d" % n)) for n in range(6)]
                peer = await daemon.accept()
                await peer.greet()
                for n in range(4):  # one in hand, one behind it, the others wait outside
                    request = await peer.request(7)
                    self.assertEqual(parse(request[7][0])[1], [b"%d" % n])
                    self.assertEqual(len(client._waiting), 2)
                    peer.send(_2=message(_1=request[1][0], _4=n + 1))
                    self.assertEqual((await writes[n]).index, n + 1)
                writes.append(asyncio.ensure_future(client.write(b"6")))
                await asyncio.sleep(0)
                self.assertEqual(len(client._waiting), 2)
            for n in range(4, 7):  # closed: those that were sent, and the one that waits for room
                with self.assertRaises(AssentError):
                    await writes[n]

    @runs
    async def test_refused_calls_raise(self) -> None:
        async with Daemon() as daemon, Client("jobs", daemon.path) as client:
            with self.assertRaises(AssentError):
                await client.write(bytes((2 << 20) + 1))
        with self.assertRaises(AssentError):
            async with Client("jobs", "nothing"):
                pass


class TestApplication(unittest.TestCase):
    @runs
    async def test_prepare_confirm_query_digest(self) -> None:
        async with Daemon() as daemon, App(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            self.assertEqual(daemon.attach[1], [b"jobs"])
            self.assertEqual(daemon.attach[6], [1])
            self.assertEqual(daemon.attach[8], [1], "digests")
            self.assertNotIn(7, daemon.attach, "no snapshots")
            peer.send(_4=message(_2=message(_1=1, _2=1, _15=b"good")))
            self.assertEqual(parse((await peer.said())[1][0]), {1: [1], 2: [1]})
            peer.send(_4=message(_2=message(_1=2, _2=2, _15=b"bad")))
            self.assertEqual(parse((await peer.said())[2][0])[3], [b"it is bad"])
            peer.send(_4=message(_3=message(_1=1, _15=b"good")))
            self.assertEqual(parse((await peer.said())[3][0]), {1: [1], 2: [1], 3: [b"result"]})
            peer.send(_4=message(_6=message(_1=8, _15=b"q")))
            self.assertEqual(parse((await peer.said())[4][0]), {1: [8], 15: [b"q!"]})
            peer.send(_4=message(_15=message(_1=1)))
            self.assertEqual(parse((await peer.said())[10][0]), {1: [1], 2: [2]})
            self.assertEqual(app.lines, ["ATTACHED 9", "confirm 1 good"])

    @runs
    async def test_an_exception_ends_it_without_an_answer(self) -> None:
        async with Daemon() as daemon, App(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            peer.send(_4=message(_2=message(_1=1, _2=1, _15=b"bug")))
            peer.send(_4=message(_3=message(_1=1, _15=b"bug")))
            with self.assertRaisesRegex(RuntimeError, "a bug"):
                await asyncio.wait_for(app.wait_closed(), LIMIT)
            self.assertEqual(app.lines, ["ATTACHED 9"])
            with self.assertRaises(asyncio.IncompleteReadError):  # it does not detach in good order: it died of that write
                await peer.receive()

    @runs
    async def test_synced(self) -> None:
        async with Daemon() as daemon, LateApp(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            peer.send(_4=message(_3=message(_1=4, _15=b"good")))
            self.assertEqual(parse((await peer.said())[3][0]), {1: [4], 2: [3], 3: [b"result"]})
            app.synced(4, 4)
            self.assertEqual(parse((await peer.said())[3][0]), {1: [4], 2: [4]})
            for applied, durable in ((4, 3), (5, 4)):  # what is on the disk stays there; not given yet
                with self.assertRaises(AssentError):
                    app.synced(applied, durable)

    @runs
    async def test_snapshot_save(self) -> None:
        async with Daemon() as daemon, LateApp(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            self.assertEqual(daemon.attach[7], [1], "snapshots")
            peer.send(_4=message(_9=message(_1=1, _2=8, _3=8)))
            self.assertEqual(parse((await peer.said())[6][0]), {1: [1], 15: [b"ATTACHED"]})
            peer.send(_4=message(_13=message(_1=1, _2=8)))
            self.assertEqual(parse((await peer.said())[6][0]), {1: [1], 2: [8], 15: [b" 9"]})
            self.assertEqual(parse((await peer.said())[7][0]), {1: [1], 4: [7], 5: [10]})
            app.lines.clear()
            peer.send(_4=message(_9=message(_1=2, _2=8, _3=8)))
            self.assertEqual(parse((await peer.said())[7][0]), {1: [2], 2: [1], 3: [b"the disk is full"]})

    @runs
    async def test_snapshot_load(self) -> None:
        async with Daemon() as daemon, LateApp(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            peer.send(_4=message(_10=message(_1=1, _2=6, _3=5, _4=4, f5=7, f6=9)))
            peer.send(_4=message(_11=message(_1=1, _15=b"sta")))
            self.assertEqual(parse((await peer.said())[8][0]), {1: [1], 2: [3]})
            peer.send(_4=message(_11=message(_1=1, _2=3, _15=b"te")))
            self.assertEqual(parse((await peer.said())[8][0]), {1: [1], 2: [5]})
            peer.send(_4=message(_12=message(_1=1, _5=5)))
            self.assertEqual(parse((await peer.said())[9][0]), {1: [1]})
            self.assertEqual(app.lines, ["loaded state 5 6 7 9"])
            peer.send(_4=message(_3=message(_1=7, _15=b"good")))
            self.assertEqual(parse((await peer.said())[3][0])[1], [7], "goes on after the snapshot")

    @runs
    async def test_a_load_that_fails_ends_it_without_an_answer(self) -> None:
        async with Daemon() as daemon, LateApp(daemon.path) as app:
            app.attach()
            peer = await daemon.application()
            peer.send(_4=message(_10=message(_1=1, _2=6, _3=3, _4=4, f5=7, f6=9)))
            peer.send(_4=message(_11=message(_1=1, _15=b"bug")))
            self.assertEqual(parse((await peer.said())[8][0]), {1: [1], 2: [3]})
            peer.send(_4=message(_12=message(_1=1, _5=3)))
            with self.assertRaisesRegex(OSError, "a bug"):
                await asyncio.wait_for(app.wait_closed(), LIMIT)
            with self.assertRaises(asyncio.IncompleteReadError):
                await peer.receive()


class TestLayout(unittest.TestCase):
    def test_structs_are_those_of_the_header(self) -> None:
        """As tests/abi/layout.txt has them."""
        path = os.path.join(os.environ.get("ASSENT_SOURCE", "../.."), "tests/abi/layout.txt")
        with open(path, encoding="ascii") as file:
            sizes = dict(line.split() for line in file)
        for name, struct_type in {
                "assent_reply_t": assent._Reply, "assent_entry_t": assent._Entry, "assent_watched_t": assent._Watched,
                "assent_application_state_t": assent._State, "assent_model_v1_data_t": assent._Model}.items():
            self.assertEqual(ctypes.sizeof(struct_type), int(sizes[name]), name)
        self.assertEqual(assent._Model.snapshot_load.offset, int(sizes["assent_model_v1_data_t.snapshot_load"]))


if __name__ == "__main__":
    unittest.main()
