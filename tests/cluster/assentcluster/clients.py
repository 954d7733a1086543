"""Clients of an attached application, by the Python binding: they write through every node at once, and keep what they
were told of each write."""

import asyncio
import random
import threading
from dataclasses import dataclass, field
from typing import Any, Callable

from .wait import wait_for

WRITERS = 3  # of each node
TIMEOUT_MS = 4000  # of a write: shorter than many of the gaps, so that some end unknown
FIND_OUT = 60  # seconds for the question what became of one


@dataclass
class Write:
    """`said` is the reply to it; `reply` is what became of it in the end: the same, unless that was unknown."""

    data: bytes
    said: Any
    reply: Any


@dataclass
class Tally:
    confirmed: list[Write] = field(default_factory=list)  # in the order of their indexes
    cancelled: list[Write] = field(default_factory=list)
    not_done: list[Write] = field(default_factory=list)
    unknown: list[Write] = field(default_factory=list)

    @property
    def found_out(self) -> int:
        """How many were unknown at first."""
        return sum(write.said is not write.reply for write in self.confirmed + self.cancelled)


class Clients:
    """`make` gives the next write. Use it in a `with`; stop() ends the writing."""

    def __init__(self, cluster, assent, make: Callable[[], bytes], seed: int) -> None:
        self.assent = assent
        self.sockets = [host.unix_socket for host in cluster]
        self.make = make
        self.chance = random.Random(seed)
        self.writes: list[Write] = []
        self.confirmed = 0
        self.writing = True
        self.trouble: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Clients":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.writing = False
        self.thread.join()

    def wait_confirmed(self, more: int, deadline: float) -> None:
        """Until so many more are confirmed."""
        wanted = self.confirmed + more

        def done() -> bool:
            if not self.thread.is_alive():
                raise AssertionError(f"the clients have ended: {self.trouble!r}")
            return self.confirmed >= wanted

        wait_for(done, deadline, f"{more} more writes to be confirmed")

    def stop(self) -> Tally:
        """Ends the writing; what is unknown is asked for."""
        self.__exit__()
        if self.trouble:
            raise self.trouble
        tally, outcome = Tally(), self.assent.Outcome
        lists = {outcome.CONFIRMED: tally.confirmed, outcome.CANCELLED: tally.cancelled, outcome.NOT_DONE: tally.not_done,
                 outcome.UNKNOWN: tally.unknown}
        for write in self.writes:
            lists[write.reply.outcome].append(write)
        tally.confirmed.sort(key=lambda write: write.reply.index)
        return tally

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:  # pylint: disable=broad-except
            self.trouble = error  # stop() raises it

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(socket) for socket in self.sockets))

    async def _one(self, socket: str) -> None:
        async with self.assent.Client("kv", socket, TIMEOUT_MS) as client:
            await asyncio.gather(*(self._write(client) for _ in range(WRITERS)))

    async def _write(self, client) -> None:
        while self.writing:
            data = self.make()
            write = Write(data, *(2 * [await client.write(data)]))
            self.writes.append(write)
            self.confirmed += write.reply.outcome == self.assent.Outcome.CONFIRMED
            await asyncio.sleep(self.chance.uniform(0, 0.05))  # no more than the stores are to hold
        for write in self.writes:
            if write.reply.outcome == self.assent.Outcome.UNKNOWN:
                await self._find_out(client, write)

    async def _find_out(self, client, write: Write) -> None:
        answer = await client.outcome(write.said.id, FIND_OUT * 1000)
        assert answer.outcome != self.assent.Outcome.NOT_DONE, f"{write.data!r}: {answer}"
        write.reply = answer
