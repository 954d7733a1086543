#!/usr/bin/python3
"""The Python binding against a scripted daemon. Run by `make check` in the build folder."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import tempfile
import unittest
from typing import Any, Awaitable, Callable, Dict, List, Union

os.environ.setdefault("ASSENT_LIBRARY", os.path.abspath("src/lib/.libs/libassent.so"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import assent  # noqa: E402  pylint: disable=wrong-import-position
from assent import Application, AssentError, Attachment, Cannot, Client, Cluster, Entry, Outcome  # noqa: E402

# As much of protobuf as the test needs: a message is a list of values by field number.
Message = Dict[int, List[Any]]
LIMIT = 20


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(**fields: Union[int, bytes]) -> bytes:
    """_1=5: a varint; f3=7: a fixed64; _2=b"...": bytes or a message."""
    out = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif name[0] == "f":
            out += varint(number << 3 | 1) + struct.pack("<Q", value)
        else:
            out += varint(number << 3) + varint(value)
    return out


def parse(data: bytes) -> Message:
    fields: Message = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value: Any = number()
        elif key & 7 == 1:
            value = struct.unpack_from("<Q", data, at)[0]
            at += 8
        else:
            size = number()
            value = data[at:at + size]
            at += size
        fields.setdefault(key >> 3, []).append(value)
    return fields


class Peer:
    """The daemon's end of a session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def receive(self) -> Message:
        size = struct.unpack("<I", await asyncio.wait_for(self.reader.readexactly(4), LIMIT))[0]
        return parse(await asyncio.wait_for(self.reader.readexactly(size), LIMIT))

    def send(self, **frame: bytes) -> None:
        data = message(**frame)
        self.writer.write(struct.pack("<I", len(data)) + data)

    async def greet(self) -> Message:
        hello = parse((await self.receive())[1][0])
        self.send(_1=message(_3=1, _5=3, f6=7, f7=7, _9=message(_1=5, f2=11)))
        return hello

    async def request(self) -> Message:
        return parse((await self.receive())[2][0])

    async def said(self) -> Message:
        return parse((await self.receive())[4][0])


class Daemon:
    async def __aenter__(self) -> "Daemon":
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name + "/sock"
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.all: List[Peer] = []
        self.server = await asyncio.start_unix_server(self.connected, self.path)
        return self

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.all.append(Peer(reader, writer))
        self.peers.put_nowait(self.all[-1])

    async def __aexit__(self, *_: Any) -> None:
        self.server.close()
        for peer in self.all:
            peer.writer.close()
            await asyncio.wait({asyncio.ensure_future(peer.writer.wait_closed())})
        self.folder.cleanup()

    async def accept(self) -> Peer:
        return await asyncio.wait_for(self.peers.get(), LIMIT)

    async def application(self) -> Peer:
        peer = await self.accept()
        await peer.greet()
        self.attach = parse((await peer.receive())[3][0])
        peer.send(_3=message(f3=7, f4=9, _5=1))
        return peer


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


def runs(test: Callable[[Any], Awaitable[None]]) -> Callable[[Any], None]:
    return lambda self: asyncio.run(asyncio.wait_for(test(self), 3 * LIMIT))  # type: ignore[arg-type]


class TestClient(unittest.TestCase):
    @runs
    async def test_write_read_and_watch(self) -> None:
        async with Daemon() as daemon, Client("jobs", daemon.path) as client:
            write = asyncio.ensure_future(client.write(b"data"))
            peer = await daemon.accept()
            self.assertEqual((await peer.greet())[3], [b"jobs"])
            request = await peer.request()
            self.assertEqual(parse(request[7][0])[1], [b"data"])
            peer.send(_2=message(_1=request[1][0], _4=42, _8=b"result"))
            reply = await write
            self.assertTrue(reply.ok)
            self.assertEqual((reply.outcome, reply.index, reply.data, reply.id.random),
                             (Outcome.CONFIRMED, 42, b"result", 11))
            read = asyncio.ensure_future(client.read(b"q"))
            request = await peer.request()
            peer.send(_2=message(_1=request[1][0], _2=65, _3=b"no such query"))
            self.assertEqual(((await read).outcome, (await read).reason), (Outcome.NOT_DONE, "no such query"))
            seen = []

            async def look() -> None:
                async for watched in client.watch(3):
                    seen.append((watched.index, watched.data))

            looking = asyncio.ensure_future(look())
            request = await peer.request()
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
                await peer.request()
            with self.assertRaises(AssentError):
                await write

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


class TestLayout(unittest.TestCase):
    def test_structs_are_those_of_the_header(self) -> None:
        """As tests/abi/layout.txt has them."""
        path = os.path.join(os.environ.get("ASSENT_SOURCE", "../.."), "tests/abi/layout.txt")
        with open(path, encoding="ascii") as file:
            sizes = dict(line.split() for line in file)
        for name, struct_type in {
                "assent_reply_t": assent._Reply, "assent_entry_t": assent._Entry, "assent_watched_t": assent._Watched,
                "assent_application_state_t": assent._State, "assent_model_v1_data_t": assent._Model}.items():
            self.assertEqual(assent.ctypes.sizeof(struct_type), int(sizes[name]), name)
        self.assertEqual(assent._Model.snapshot_load.offset, int(sizes["assent_model_v1_data_t.snapshot_load"]))


if __name__ == "__main__":
    unittest.main()
