"""The cluster that ./demo --keep leaves up: a note about it, commands in its hosts, and its end."""

import contextlib
import json
import os
import signal

from .wait import wait_for

NOTE = "/run/assent-demo.json"


def start_time(pid):
    """Tells a process from a later one of the same pid; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def write_note(cluster):
    """Says that this process keeps `cluster`."""
    note = {"pid": os.getpid(), "start": start_time(os.getpid()), "path": cluster.build.search_path(),
            "hosts": {str(host.node): host.namespaces.pid for host in cluster}}
    with open(NOTE, "w") as file:
        json.dump(note, file)


def remove_note():
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTE)


def read_note():
    """The note, or None if no cluster is up."""
    try:
        with open(NOTE) as file:
            note = json.load(file)
    except (OSError, ValueError):
        return None
    return note if start_time(note["pid"]) == note["start"] else None


def stop():
    """Ends the kept cluster. False: there was none."""
    note = read_note()
    if note is None:
        remove_note()
        return False
    os.kill(note["pid"], signal.SIGTERM)
    wait_for(lambda: start_time(note["pid"]) != note["start"], 30, "the hosts to be taken down")
    return True


def enter(node, argv):
    """Becomes `argv` (default: a shell) in a host of the kept cluster. Returns only if there is no such host."""
    note = read_note()
    if note is None or node not in note["hosts"]:
        return
    environment = dict(os.environ, PATH=note["path"], PS1=f"node{node}# ")
    command = ["nsenter", "-t", str(note["hosts"][node]), "--net", "--mount", "--uts", "--"]
    os.execvpe("nsenter", command + (argv or ["sh"]), environment)
