#!/usr/bin/python3
"""counter FILE [SOCKET]: a clustered counter. Write "+5" or "-3", read the sum; it never goes below 0. FILE is this node's store."""
import asyncio
import json
import os
import sys

from assent import Application, Attachment, Cannot, Cluster, Entry


class Counter(Application):
    def __init__(self, path: str, address: str = "") -> None:
        super().__init__("counter", address or None, max_pending=1)
        self.path = path
        self.store = {"applied": 0, "sum": 0, "high": 0, "low": 0}
        if os.path.exists(path):
            self.store = json.load(open(path, encoding="ascii"))

    def save(self, **changes: int) -> None:  # the old store or the new one, never half of it
        self.store.update(changes)
        with open(self.path + ".new", "w", encoding="ascii") as file:
            json.dump(self.store, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path + ".new", self.path)

    def prepare(self, entry: Entry) -> None:  # max_pending is 1: `sum` is that of everything before
        if not entry.data[:1] in (b"+", b"-") or not entry.data[1:].isdigit():
            raise Cannot("neither +N nor -N")
        if self.store["sum"] + int(entry.data) < 0:
            raise Cannot(f"the sum is {self.store['sum']}")

    def confirm(self, entry: Entry) -> bytes:
        self.save(applied=entry.index, sum=self.store["sum"] + int(entry.data))
        return str(self.store["sum"]).encode()

    def query(self, data: bytes) -> bytes:
        return str(self.store["sum"]).encode()

    def attached(self, state: Attachment, reason: str, cluster: Cluster) -> None:
        print(state.name.lower(), reason, flush=True)
        if state == Attachment.ATTACHED:
            self.save(high=cluster.high, low=cluster.low)


async def main() -> None:
    async with Counter(*sys.argv[1:3]) as counter:
        counter.attach(counter.store["applied"], Cluster(counter.store["high"], counter.store["low"]))
        await counter.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
