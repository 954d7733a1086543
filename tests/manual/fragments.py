"""The examples of the manual that are no whole programs: what each needs around it to run, and what has to come of it.

A program is made of the example and a `main`: a handle, and a loop that ends when the daemon wants it to, by the reply to the
write "end" or, for an application, by a query.
"""

from __future__ import annotations

import asyncio
import os
import sys
import unittest
from dataclasses import dataclass
from typing import Awaitable, Callable, Dict, List, Union

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bindings/python"))

from scripted_daemon import LIMIT, Daemon, Message, Peer, message, parse  # noqa: E402  pylint: disable=wrong-import-position

MAIN = """
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
static int ended;
static void replied(assent_handle_t h, const assent_reply_t *reply, void *context) { ended = 1; }
static void asked(assent_handle_t h, uint64_t query, const void *data, size_t length, void *context) { ended = 1; }
static void nothing(assent_handle_t h, const assent_entry_t *entry, void *context) {}
static void load(assent_handle_t h, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                 const assent_cluster_id_t *cluster, void *context) {}

int main(int argc, char **argv)
{
    assent_model_v1_data_t model = {.model = ASSENT_MODEL_V1, .size = sizeof model, .address = argv[1], .group = "jobs",
                                    .prepare = nothing, .confirm = nothing, .query = asked, .snapshot_load = load};
    assent_handle_t handle;
    alarm(%(limit)d);
    %(callbacks)s
    if (assent_model_initialize(&handle, ASSENT_MODEL_V1, &model, NULL) != CS_OK) return 70;
    %(begin)s
    if (%(start)s != CS_OK) return 71;
    while (!ended) {
        %(turn)s
    }
    return assent_finalize(handle) == CS_OK ? 0 : 72;
}
"""

START = {True: "assent_application_attach(handle, NULL, 0, NULL)", False: 'assent_write(handle, "end", 3, 0, replied, NULL)'}
DISPATCH = "if (assent_dispatch(handle, CS_DISPATCH_ONE) != CS_OK) return 73;\n"

Script = Callable[[unittest.TestCase, Peer], Awaitable[None]]


@dataclass(frozen=True)
class Harness:
    script: Script  # what the daemon says and must hear
    callbacks: str = ""  # of the example; it is an application's if there are any
    begin: str = ""
    turn: str = DISPATCH
    prints: str = ""  # on standard output
    complains: str = ""  # on standard error
    stores: bytes = b""  # in the file "store"

    def program(self, example: str) -> str:
        callbacks = "".join(f"model.{name} = {name};" for name in self.callbacks.split())
        return example + MAIN % {"limit": LIMIT, "callbacks": callbacks, "begin": self.begin, "turn": self.turn,
                                 "start": START[bool(self.callbacks)]}


# ---- What the daemon does

def reply(request: Message, **fields: Union[int, bytes]) -> bytes:
    return message(_1=request[1][0], **fields)


async def accepts_and_rejects(test: unittest.TestCase, peer: Peer) -> None:
    peer.send(_4=message(_2=message(_1=1, _2=1, _15=b"add lamp")))
    test.assertEqual(parse((await peer.said())[1][0]), {1: [1], 2: [1]})
    peer.send(_4=message(_2=message(_1=2, _2=2, _15=b"addendum")))
    test.assertEqual(parse((await peer.said())[2][0]), {1: [2], 2: [2], 3: [b"not 'add TEXT'"]})


async def applies_then_syncs(test: unittest.TestCase, peer: Peer) -> None:
    peer.send(_4=message(_3=message(_1=1, _15=b"lamp")))
    test.assertEqual(parse((await peer.said())[3][0]), {1: [1], 3: [b"done"]})
    test.assertEqual(parse((await peer.said())[3][0]), {1: [1], 2: [1]})


async def reads(test: unittest.TestCase, peer: Peer) -> None:
    request = await peer.request(8)
    test.assertEqual(parse(request[8][0]), {1: [b"list"]})
    peer.send(_2=reply(request, _8=b"lamp\n"))


async def saves(test: unittest.TestCase, peer: Peer) -> None:
    peer.send(_4=message(_9=message(_1=1, _2=65536, _3=65536)))
    test.assertEqual(parse((await peer.said())[6][0]), {1: [1], 15: [b"s" * 4096]})
    test.assertEqual(parse((await peer.said())[7][0]), {1: [1], 4: [7], 5: [4096]})


async def shows_writes(test: unittest.TestCase, peer: Peer) -> None:
    request = await peer.request(14)
    test.assertEqual(parse(request[14][0])[1], [1], "from the first one on")
    peer.send(_5=message(_1=request[1][0], _2=message(_1=4, _5=b"abc"), _3=4))
    peer.send(_2=reply(request, _2=1, _3=b"compacted"))


async def confirms_and_cancels(test: unittest.TestCase, peer: Peer) -> None:
    request = await peer.request(7)
    test.assertEqual(parse(request[7][0])[1], [b"lamp"])
    peer.send(_2=reply(request, _4=42, _8=b"42"))
    peer.send(_2=reply(await peer.request(7), _2=109, _3=b"too dark"))


async def gets_an_empty_write(test: unittest.TestCase, peer: Peer) -> None:
    test.assertEqual(parse((await peer.request(7))[7][0]), {})


async def says_nothing(_test: unittest.TestCase, _peer: Peer) -> None:
    pass


# By page.
HARNESSES: Dict[str, Harness] = {
    "assent_accept": Harness(accepts_and_rejects, callbacks="prepare"),
    "assent_applied": Harness(
        applies_then_syncs, callbacks="confirm", begin='store = open("store", O_CREAT | O_RDWR, 0600);',
        turn=DISPATCH + "sync_store(handle);", stores=b"lamp"),
    "assent_fd_get": Harness(says_nothing, turn="if (turn(handle) != 0) return 1;"),
    "assent_read": Harness(reads, begin="if (list(handle) != 0) return 1;", prints="lamp\n"),
    "assent_snapshot_saved": Harness(
        saves, callbacks="snapshot_save", begin="memset(state, 's', sizeof state); applied = 7;"),
    "assent_state_get": Harness(
        gets_an_empty_write, begin='assent_write(handle, "", 0, 0, NULL, NULL); show(handle);',
        prints="1 of 1024 requests without reply\n"),
    "assent_watch": Harness(
        shows_writes, begin="uint64_t watch; if (watch_all(handle, &watch) != 0) return 1;", prints="4: 3 bytes\n",
        complains="compacted\n"),
    "assent_write": Harness(
        confirms_and_cancels, begin='if (add_job(handle, "lamp") != 0 || add_job(handle, "tree") != -1) return 1;',
        prints="job 42\n", complains="too dark\n"),
}


# ---- Running one

async def end(test: unittest.TestCase, peer: Peer, application: bool) -> None:
    if application:
        peer.send(_4=message(_6=message(_1=1)))
        return
    request = await peer.request(7)
    test.assertEqual(parse(request[7][0]), {1: [b"end"]})
    peer.send(_2=reply(request, _4=99))


async def converse(test: unittest.TestCase, harness: Harness, daemon: Daemon) -> None:
    application = bool(harness.callbacks)
    if application:
        peer = await daemon.application()
    else:
        peer = await daemon.accept()
        await peer.greet()
    await harness.script(test, peer)
    await end(test, peer, application)


async def run(test: unittest.TestCase, harness: Harness, program: List[str], environment: Dict[str, str]) -> None:
    """`program` runs against a daemon that follows the script, and must do what the harness says."""
    async with Daemon() as daemon:
        process = await asyncio.create_subprocess_exec(
            *program, daemon.path, cwd=daemon.folder.name, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        try:
            await converse(test, harness, daemon)
        except BaseException:
            process.kill()
            raise
        finally:
            out, err = await process.communicate()
        test.assertEqual((process.returncode, out.decode(), err.decode()), (0, harness.prints, harness.complains))
        if harness.stores:
            with open(f"{daemon.folder.name}/store", "rb") as file:
                test.assertEqual(file.read(), harness.stores)
