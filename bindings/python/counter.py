#!/usr/bin/python3
"""counter FILE [SOCKET [GROUP]]: a clustered counter. Write +5 or -3, read the sum; it never goes below 0."""
import asyncio, json, os, re, sys
from assent import Application, Attachment, Cannot, Cluster, Entry

class Counter(Application):
    def __init__(self, path: str, address: str = "/run/assent/assentd.sock", group: str = "counter") -> None:
        super().__init__(group, address, max_pending=1)
        self.path, self.folder = path, os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        self.store = json.load(open(path)) if os.path.exists(path) else {"applied": 0, "sum": 0, "high": 0, "low": 0}

    def save(self, **changes: int) -> None:  # a crash leaves the old store or the new one, never half of it
        self.store.update(changes)
        with open(self.path + ".new", "w") as file:
            file.write(json.dumps(self.store))
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path + ".new", self.path)
        os.fsync(self.folder)

    def prepare(self, entry: Entry) -> None:  # max_pending is 1: `sum` is that of everything before
        if not re.fullmatch(rb"[+-]\d{1,18}", entry.data): raise Cannot("neither +N nor -N")
        if self.store["sum"] + int(entry.data) < 0: raise Cannot(f"the sum is {self.store['sum']}")

    def confirm(self, entry: Entry) -> bytes:
        self.save(applied=entry.index, sum=self.store["sum"] + int(entry.data))
        return str(self.store["sum"]).encode()

    def query(self, data: bytes) -> bytes: return str(self.store["sum"]).encode()

    def attached(self, state: Attachment, reason: str, cluster: Cluster) -> None:
        if state == Attachment.REFUSED: raise SystemExit(reason)
        if state == Attachment.ATTACHED: self.save(high=cluster.high, low=cluster.low)

async def main() -> None:
    async with Counter(*sys.argv[1:]) as counter:
        counter.attach(counter.store["applied"], Cluster(counter.store["high"], counter.store["low"]))
        await counter.wait_closed()

if __name__ == "__main__": asyncio.run(main())
