"""A real small file system for the state of a host, and the filling of it."""

import contextlib
import os

from .shim import STATE

FILLER = STATE + "/filler"


def mount(host, megabytes=64):
    """Before the host's assentd starts: ext4 on a loop device, or a tmpfs where there is none. Says which."""
    image = os.path.join(host.folder, "disk")
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    try:
        host.run("mkfs.ext4", "-q", "-m", "0", image, timeout=30)
        host.run("mount", "-o", "loop", image, STATE, timeout=30)
        kind = "ext4"
    except (RuntimeError, OSError):
        host.run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", STATE)
        kind = "tmpfs"
    host.run("chmod", "750", STATE)
    return kind


def fill(host):
    """Not a byte is left."""
    with open(host.namespaces.path(FILLER), "wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass


def empty(host):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(host.namespaces.path(FILLER))
