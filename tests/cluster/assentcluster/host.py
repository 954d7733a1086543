"""One host of a cluster: its namespaces and folders, its corosync, its assentd, and assentctl in it."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

from .corosync_conf import address
from .namespace import Namespaces
from .process import Process

PREPARE = """\
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --bind '{folder}/lib' /var/lib
mount --bind '{folder}/log' /var/log
mount --bind '{folder}/etc' /etc/corosync
mkdir /run/assent
echo node{node} > /proc/sys/kernel/hostname
ip link set lo up"""


@dataclass
class Answer:
    """What an assentctl run gave. `rc` is its exit code."""

    command: str
    rc: int
    out: str
    err: str
    seconds: float

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{self.command}: exit {self.rc} after {self.seconds:.2f} s: {(self.out + self.err).strip()}"


class Host:
    """Folders below `folder`: etc (corosync.conf), lib/assent, lib/corosync, log."""

    def __init__(self, node, folder, build, switch):
        self.node = node
        self.folder = folder
        self.build = build
        self.address = address(node)
        for name in ("etc", "lib/corosync", "lib/assent", "log/corosync"):
            os.makedirs(os.path.join(folder, name))
        os.chmod(os.path.join(folder, "lib/assent"), 0o750)
        self.namespaces = Namespaces(PREPARE.format(folder=folder, node=node), private_mounts=True)
        switch.plug(node, self.namespaces.pid)
        for line in (f"addr add {self.address}/24 dev eth0", "link set eth0 addrgenmode none", "link set eth0 up"):
            self.namespaces.run(["ip"] + line.split())
        self.corosync = Process(f"corosync of node {node}", self.namespaces, ["corosync", "-f"],
                                os.path.join(folder, "log/corosync.log"))
        self._daemon = None

    @property
    def daemon(self):
        """Its assentd (made at first use, so that corosync alone can be used without a build)."""
        if self._daemon is None:
            self._daemon = Process(f"assentd of node {self.node}", self.namespaces,
                                   [self.build.program("assentd"), "-f"], os.path.join(self.folder, "log/assentd.log"))
        return self._daemon

    @property
    def state_folder(self):
        """/var/lib/assent of this host, as this program sees it."""
        return os.path.join(self.folder, "lib/assent")

    @property
    def unix_socket(self):
        return self.namespaces.path("/run/assent/assentd.sock")

    def write_conf(self, text):
        with open(os.path.join(self.folder, "etc/corosync.conf"), "w") as conf:
            conf.write(text)

    def run(self, *argv, timeout=10, check=True):
        """Any command in the host, to its end."""
        return self.namespaces.run(argv, timeout=timeout, check=check)

    def ctl(self, *arguments, timeout=5, as_json=True, group=None, limit=None, **more):
        """assentctl -t timeout …; more than `limit` seconds (default: timeout + 3) is an AssertionError: the time limit
        of assentctl holds for the whole command."""
        options = ["-t", str(timeout)] + (["-o", "json"] if as_json else []) + (["-g", group] if group else [])
        argv = [self.build.program("assentctl")] + options + [str(argument) for argument in arguments]
        shown = f"node{self.node}# " + " ".join(["assentctl"] + argv[1:])
        began = time.monotonic()
        limit = limit or timeout + 3
        try:
            done = self.namespaces.run(argv, timeout=limit, check=False, **more)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{shown}: no end within {limit} s") from error
        return Answer(shown, done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def status(self, timeout=1):
        """The parsed status, or None while there is none."""
        answer = self.ctl("status", timeout=timeout, limit=30)  # asked again and again: a busy machine is no fault
        return answer.json if answer.out.startswith("{") else None

    def indexes(self):
        """The indexes of its status; LookupError while there is none."""
        status = self.status()
        if status is None:
            raise LookupError(f"node {self.node} gives no status")
        return status["index"]

    def put(self, key, value, timeout=5):
        return self.ctl("put", key, value, timeout=timeout)

    def get(self, key, level="master", timeout=5):
        """The value, or None if there is no such key; any other answer is an AssertionError."""
        answer = self.ctl("get", "--level", level, key, timeout=timeout)
        if answer.rc == 105:
            return None
        assert answer.rc == 0, str(answer)
        return answer.json["value"]

    def corosync_view(self):
        """(quorate, member node ids) as votequorum has it; (False, []) while corosync does not answer."""
        done = self.run("corosync-quorumtool", "-l", "-i", check=False)
        if done.returncode not in (0, 2):
            return False, []
        first = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
        status = self.run("corosync-quorumtool", "-s", check=False).stdout
        quorate = any(line.split() == ["Quorate:", "Yes"] for line in status.splitlines())
        return quorate, sorted(int(word) for word in first if word.isdigit())

    def processes(self):
        return [process for process in (self._daemon, self.corosync) if process is not None]

    def log_tails(self, lines=40):
        for process in self.processes():
            yield f"==== {process.name} (exit code {process.exit_code}), {process.log}\n"
            yield from process.log_tail(lines)

    def close(self):
        """Ends everything in the host. Returns the pids of processes that nobody had ended."""
        for process in self.processes():
            if process.alive:
                process.signal(signal.SIGKILL)
                process.wait_exit(20)
        return self.namespaces.close()
