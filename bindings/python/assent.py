"""Confirmed, durable writes of replicated applications: libassent for Python, by ctypes, with asyncio.

A Client asks a group's master to write and to read. An Application is the replicated program itself: subclass it. Both work
inside a running event loop, which watches the library's one descriptor; nothing here blocks, and no thread is started.
Errors, outcomes and the rules for applications are those of libassent_overview(3). ASSENT_LIBRARY names another library.
"""

from __future__ import annotations

import asyncio
import ctypes
import enum
import os
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Optional, Type, TypeVar

OK, TRY_AGAIN, NOT_EXIST = 1, 6, 12
_DISPATCH_ALL = 2


class Outcome(enum.IntEnum):
    ANSWERED = 0
    CONFIRMED = 1
    CANCELLED = 2
    UNKNOWN = 3
    NOT_DONE = 4


class Level(enum.IntEnum):
    MASTER = 0
    LOCAL = 1
    APPLIED_AFTER = 2


class Attachment(enum.IntEnum):
    DETACHED = 0
    ATTACHED = 1
    REFUSED = 2


class AssentError(Exception):
    """A call that was refused; `error` is a cs_error_t."""

    def __init__(self, error: int, detail: str) -> None:
        super().__init__(detail)
        self.error = error


class Cannot(Exception):
    """What Application.prepare raises to reject, and Application.query to refuse an answer; the text is the reason."""


@dataclass(frozen=True)
class WriteId:
    birth: int
    random: int
    sequence: int


@dataclass(frozen=True)
class Cluster:
    high: int = 0
    low: int = 0


@dataclass(frozen=True)
class Reply:
    outcome: Outcome
    error: int
    code: int
    index: int
    epoch: int
    id: WriteId
    data: bytes
    reason: str

    @property
    def ok(self) -> bool:
        return self.error == OK


@dataclass(frozen=True)
class Entry:
    index: int
    epoch: int
    data: bytes


@dataclass(frozen=True)
class Watched:
    """A confirmed write; or with `id` None: everything up to `index` was shown."""

    index: int
    epoch: int
    id: Optional[WriteId]
    data: bytes


# ---- The C interface


class _Cluster(ctypes.Structure):
    _fields_ = [("high", c_uint64), ("low", c_uint64)]


class _WriteId(ctypes.Structure):
    _fields_ = [("birth", c_uint64), ("random", c_uint64), ("sequence", c_uint64)]


class _Reply(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("outcome", c_int), ("error", c_int), ("code", c_int32), ("index", c_uint64),
                ("epoch", c_uint64), ("id", _WriteId), ("data", c_void_p), ("length", c_size_t), ("reason", c_char_p)]


class _Entry(ctypes.Structure):
    _fields_ = [("index", c_uint64), ("epoch", c_uint64), ("ask", c_uint64), ("data", c_void_p), ("length", c_size_t)]


class _State(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("state", c_int), ("code", c_int32), ("reason", c_char_p), ("cluster", _Cluster),
                ("next", c_uint64)]


class _Watched(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("event", c_int), ("index", c_uint64), ("epoch", c_uint64), ("id", _WriteId),
                ("data", c_void_p), ("length", c_size_t), ("error", c_int), ("code", c_int32), ("reason", c_char_p)]


_ReplyFn = CFUNCTYPE(None, c_uint64, POINTER(_Reply), c_void_p)
_WatchFn = CFUNCTYPE(None, c_uint64, POINTER(_Watched), c_void_p)
_ConnectionFn = CFUNCTYPE(None, c_uint64, c_int, c_char_p, c_void_p)
_PlainFn = CFUNCTYPE(None, c_uint64, c_void_p)
_EntryFn = CFUNCTYPE(None, c_uint64, POINTER(_Entry), c_void_p)
_CancelFn = CFUNCTYPE(None, c_uint64, c_uint64, c_char_p, c_void_p)
_IndexFn = CFUNCTYPE(None, c_uint64, c_uint64, c_void_p)
_QueryFn = CFUNCTYPE(None, c_uint64, c_uint64, c_void_p, c_size_t, c_void_p)
_RoleFn = CFUNCTYPE(None, c_uint64, c_int, c_uint64, c_void_p)
_StateFn = CFUNCTYPE(None, c_uint64, POINTER(_State), c_void_p)
_SaveFn = CFUNCTYPE(None, c_uint64, c_uint64, c_int, c_void_p)
_LoadFn = CFUNCTYPE(None, c_uint64, c_uint64, c_int, c_uint64, c_uint64, POINTER(_Cluster), c_void_p)


class _Model(ctypes.Structure):
    _fields_ = [("model", c_int), ("size", c_uint32), ("flags", c_uint32), ("address", c_char_p), ("group", c_char_p),
                ("program", c_char_p), ("timeout_ms", c_uint32), ("max_outstanding", c_uint32),
                ("max_queued_bytes", c_uint32), ("max_pending", c_uint32), ("spool", c_char_p),
                ("connection", _ConnectionFn), ("writable", _PlainFn), ("prepare", _EntryFn), ("confirm", _EntryFn),
                ("cancel", _CancelFn), ("withdraw", _IndexFn), ("query", _QueryFn), ("role", _RoleFn),
                ("application", _StateFn), ("snapshot_save", _SaveFn), ("snapshot_load", _LoadFn), ("digest", _IndexFn)]


def _load() -> ctypes.CDLL:
    lib = ctypes.CDLL(os.environ.get("ASSENT_LIBRARY", "libassent.so.1"))
    h, size = c_uint64, c_size_t
    for name, arguments in {
        "model_initialize": [POINTER(h), c_int, POINTER(_Model), c_void_p],
        "finalize": [h],
        "fd_get": [h, POINTER(c_int)],
        "dispatch": [h, c_int],
        "write": [h, c_char_p, size, c_uint32, _ReplyFn, c_void_p],
        "read": [h, c_int, c_uint64, c_char_p, size, c_uint32, _ReplyFn, c_void_p],
        "outcome": [h, POINTER(_WriteId), c_uint32, _ReplyFn, c_void_p],
        "watch": [h, c_uint64, _WatchFn, c_void_p, POINTER(c_uint64)],
        "unwatch": [h, c_uint64],
        "application_attach": [h, c_char_p, c_uint64, POINTER(_Cluster)],
        "application_detach": [h],
        "accept": [h, c_uint64],
        "reject": [h, c_uint64, c_char_p],
        "applied": [h, c_uint64, c_uint64, c_char_p, size],
        "answer": [h, c_uint64, c_char_p, c_char_p, size],
        "snapshot_saved": [h, c_uint64, c_uint64, c_char_p],
        "snapshot_loaded": [h, c_uint64, c_char_p],
        "digest": [h, c_uint64, c_uint64],
    }.items():
        function = getattr(lib, "assent_" + name)
        function.argtypes = arguments
        function.restype = c_int
    lib.assent_error_detail.restype = c_char_p
    return lib


_lib: Optional[ctypes.CDLL] = None


def _library() -> ctypes.CDLL:
    global _lib
    if _lib is None:
        _lib = _load()
    return _lib


def _check(error: int) -> None:
    if error != OK:
        raise AssentError(error, _library().assent_error_detail().decode(errors="replace"))


def _bytes(address: Optional[int], length: int) -> bytes:
    return ctypes.string_at(address, length) if address else b""


def _id(i: _WriteId) -> WriteId:
    return WriteId(i.birth, i.random, i.sequence)


def _text(text: Optional[bytes]) -> str:
    return (text or b"").decode(errors="replace")


_T = TypeVar("_T", bound="_Handle")


class _Handle:
    """What client and application have in common: the handle and its descriptor in the event loop."""

    def __init__(self, group: str, address: Optional[str], timeout_ms: int, max_pending: int) -> None:
        self._model = _Model(model=1, size=ctypes.sizeof(_Model), group=group.encode(),
                             address=address.encode() if address else None, timeout_ms=timeout_ms, max_pending=max_pending)
        self._handle = c_uint64(0)
        self._fd = -1
        self._thrown: Optional[BaseException] = None
        self._ended: Optional[asyncio.Future[None]] = None

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        fd = c_int(-1)
        _check(_library().assent_model_initialize(byref(self._handle), 1, byref(self._model), None))
        _check(_library().assent_fd_get(self._handle, byref(fd)))
        self._fd = fd.value
        self._ended = loop.create_future()
        loop.add_reader(self._fd, self._dispatch)
        self._dispatch()

    def _dispatch(self) -> None:
        _check(_library().assent_dispatch(self._handle, _DISPATCH_ALL))
        if self._thrown is not None:
            self.close()

    def close(self) -> None:
        """Ends it. Writes that were submitted may still take effect."""
        if self._fd < 0:
            return
        asyncio.get_running_loop().remove_reader(self._fd)
        self._fd = -1
        _library().assent_finalize(self._handle)
        self._finished()
        if self._ended is None or self._ended.done():
            return
        if self._thrown is not None:
            self._ended.set_exception(self._thrown)
        else:
            self._ended.set_result(None)

    def _finished(self) -> None:
        pass

    def _guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """No exception gets into the C library: it ends the handle, as if the process had died, and comes out of
        wait_closed()."""

        def run(*arguments: Any) -> None:
            try:
                function(*arguments)
            except BaseException as error:  # pylint: disable=broad-except
                self._thrown = error
                _library().assent_finalize(self._handle)

        return run

    async def wait_closed(self) -> None:
        """Returns after close(); raises what a callback raised. Nothing more is called after that: end, or begin anew from
        the store."""
        assert self._ended is not None
        await asyncio.shield(self._ended)

    async def __aenter__(self: _T) -> _T:
        self._open()
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        if self._ended is not None and self._ended.done() and not self._ended.cancelled():
            self._ended.exception()  # looked at
        self.close()


class Client(_Handle):
    """Writes, reads and watches: `async with Client("jobs") as client: reply = await client.write(b"...")`."""

    def __init__(self, group: str = "kv", address: Optional[str] = None, timeout_ms: int = 0) -> None:
        super().__init__(group, address, timeout_ms, 0)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._watches: dict[int, asyncio.Queue[Optional[Watched]]] = {}
        self._errors: dict[int, AssentError] = {}
        self._room = asyncio.Event()
        self._last = 0
        self._done = _ReplyFn(self._guarded(self._replied))
        self._watched = _WatchFn(self._guarded(self._seen))
        self._model.writable = _PlainFn(self._guarded(lambda _handle, _context: self._room.set()))

    def _replied(self, _handle: int, reply: Any, user: int) -> None:
        future = self._waiting.pop(user)
        r = reply.contents
        if not future.done():
            future.set_result(Reply(Outcome(r.outcome), r.error, r.code, r.index, r.epoch, _id(r.id),
                                    _bytes(r.data, r.length), _text(r.reason)))

    def _finished(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AssentError(9, "the client was closed: the outcome is unknown"))
        for queue in self._watches.values():
            queue.put_nowait(None)
        self._room.set()  # who waits for it finds the handle gone

    async def _request(self, call: Callable[[int], int]) -> Reply:
        self._last += 1
        number = self._last
        while True:
            self._room.clear()
            error = call(number)
            if error != TRY_AGAIN:
                break
            await self._room.wait()  # the queue is full; nothing was taken
        _check(error)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future  # the reply comes when the loop runs again
        return await future

    async def write(self, data: bytes, timeout_ms: int = 0) -> Reply:
        return await self._request(
            lambda n: int(_library().assent_write(self._handle, data, len(data), timeout_ms, self._done, n)))

    async def read(self, query: bytes = b"", level: Level = Level.MASTER, index: int = 0, timeout_ms: int = 0) -> Reply:
        return await self._request(
            lambda n: int(_library().assent_read(self._handle, level, index, query, len(query), timeout_ms, self._done, n)))

    async def outcome(self, write: WriteId, timeout_ms: int = 0) -> Reply:
        wanted = _WriteId(write.birth, write.random, write.sequence)
        return await self._request(
            lambda n: int(_library().assent_outcome(self._handle, byref(wanted), timeout_ms, self._done, n)))

    def _seen(self, _handle: int, watched: Any, user: int) -> None:
        w = watched.contents
        if w.event == 3:
            self._errors[user] = AssentError(w.error, _text(w.reason))
            self._watches[user].put_nowait(None)
            return
        self._watches[user].put_nowait(
            Watched(w.index, w.epoch, _id(w.id) if w.event == 1 else None, _bytes(w.data, w.length)))

    async def watch(self, first: int = 0) -> AsyncIterator[Watched]:
        """Every confirmed write from an index on, then those that come. Take them as fast as they come: they wait in memory."""
        self._last += 1
        number, watch = self._last, c_uint64(0)
        queue: asyncio.Queue[Optional[Watched]] = asyncio.Queue()
        self._watches[number] = queue
        _check(_library().assent_watch(self._handle, first, self._watched, number, byref(watch)))
        try:
            while (item := await queue.get()) is not None:
                yield item
        finally:
            if self._fd >= 0:
                _library().assent_unwatch(self._handle, watch)
            self._watches[number] = queue  # callbacks that are due still find it
        if number in self._errors:
            raise self._errors.pop(number)


class Application(_Handle):
    """The application of a group on this node. Override prepare, confirm and query, and what else is of interest; then
    `async with App("jobs") as app: app.attach(applied, cluster); await app.wait_closed()`."""

    def __init__(self, group: str = "kv", address: Optional[str] = None, max_pending: int = 0) -> None:
        super().__init__(group, address, 0, max_pending)
        guarded, m = self._guarded, self._model
        m.prepare = _EntryFn(guarded(self._prepare))
        m.confirm = _EntryFn(guarded(self._confirm))
        m.cancel = _CancelFn(guarded(lambda _h, index, reason, _c: self.cancel(index, _text(reason))))
        m.withdraw = _IndexFn(guarded(lambda _h, index, _c: self.withdraw(index)))
        m.query = _QueryFn(guarded(self._query))
        m.role = _RoleFn(guarded(lambda _h, master, epoch, _c: self.role(bool(master), epoch)))
        m.application = _StateFn(guarded(self._state))
        if type(self).snapshot_save is not Application.snapshot_save:
            m.snapshot_save = _SaveFn(guarded(self._save))
            m.snapshot_load = _LoadFn(guarded(self._restore))
        if type(self).digest is not Application.digest:
            m.digest = _IndexFn(guarded(self._digest))

    # ---- to be overridden

    def prepare(self, entry: Entry) -> None:
        """Returning accepts, for ever; raising Cannot rejects. Depend on the data alone."""

    def confirm(self, entry: Entry) -> bytes:
        """Apply it, durably, and return the client's result. (One that syncs later overrides `durable` as well.)"""
        raise NotImplementedError

    def query(self, data: bytes) -> bytes:
        """Answer, or raise Cannot."""
        raise NotImplementedError

    def durable(self, index: int) -> int:
        """So much is on the disk, now that `index` is applied."""
        return index

    def cancel(self, index: int, reason: str) -> None:
        """It will never take effect."""

    def withdraw(self, first: int) -> None:
        """Forget what was prepared from there on."""

    def role(self, master: bool, epoch: int) -> None:
        """This node is, or is no longer, the master."""

    def attached(self, state: Attachment, reason: str, cluster: Cluster) -> None:
        """The attachment changed. Keep the cluster in the store."""

    def snapshot_save(self, fd: int) -> int:
        """Write the state into fd, and return its applied index."""
        raise NotImplementedError

    def snapshot_load(self, fd: int, length: int, index: int, cluster: Cluster) -> None:
        """Replace the state, durably, by what is in fd; its applied index is `index`."""
        raise NotImplementedError

    def digest(self, index: int) -> int:
        """64 bits of the whole state as it is after `index`."""
        raise NotImplementedError

    # ---- to be called

    def attach(self, applied: int = 0, cluster: Cluster = Cluster()) -> None:
        _check(_library().assent_application_attach(self._handle, None, applied,
                                                    byref(_Cluster(cluster.high, cluster.low))))

    def synced(self, applied: int, durable: int) -> None:
        """More of what is applied is on the disk now."""
        _check(_library().assent_applied(self._handle, applied, durable, None, 0))

    # ---- what the library calls

    def _prepare(self, _handle: int, entry: Any, _context: int) -> None:
        e = entry.contents
        try:
            self.prepare(Entry(e.index, e.epoch, _bytes(e.data, e.length)))
        except Cannot as why:
            _library().assent_reject(self._handle, e.ask, str(why).encode())
        else:
            _library().assent_accept(self._handle, e.ask)

    def _confirm(self, _handle: int, entry: Any, _context: int) -> None:
        e = entry.contents
        result = self.confirm(Entry(e.index, e.epoch, _bytes(e.data, e.length)))
        _check(_library().assent_applied(self._handle, e.index, self.durable(e.index), result, len(result)))

    def _query(self, _handle: int, query: int, data: int, length: int, _context: int) -> None:
        try:
            answer = self.query(_bytes(data, length))
        except Cannot as why:
            _library().assent_answer(self._handle, query, str(why).encode(), None, 0)
        else:
            _library().assent_answer(self._handle, query, None, answer, len(answer))

    def _state(self, _handle: int, state: Any, _context: int) -> None:
        s = state.contents
        self.attached(Attachment(s.state), _text(s.reason), Cluster(s.cluster.high, s.cluster.low))

    def _digest(self, _handle: int, index: int, _context: int) -> None:
        _library().assent_digest(self._handle, index, self.digest(index))

    def _save(self, _handle: int, snapshot: int, fd: int, _context: int) -> None:
        try:
            index = self.snapshot_save(fd)
        except OSError as why:
            _library().assent_snapshot_saved(self._handle, snapshot, 0, str(why).encode())
        else:
            _library().assent_snapshot_saved(self._handle, snapshot, index, None)

    def _restore(self, _handle: int, snapshot: int, fd: int, length: int, index: int, cluster: Any, _context: int) -> None:
        self.snapshot_load(fd, length, index, Cluster(cluster.contents.high, cluster.contents.low))
        _library().assent_snapshot_loaded(self._handle, snapshot, None)
