"""A daemon that says what a test has written down, to programs of libassent: here and in tests/manual."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from typing import Any, Dict, List, Union

# As much of protobuf as the tests need: a message is a list of values by field number.
Message = Dict[int, List[Any]]
LIMIT = 60  # s, for one step of a test


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
        self.kept: List[Message] = []

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

    async def request(self, what: int) -> Message:
        """The next one that asks for this (its field in Request). Different ones may come in any order: others are kept."""
        while True:
            for request in self.kept:
                if what in request:
                    self.kept.remove(request)
                    return request
            self.kept += map(parse, (await self.receive()).get(2, []))

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
