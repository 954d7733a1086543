"""A set of namespaces, held open by one process, and the running of commands in them."""

import ctypes
import os
import signal
import socket
import subprocess

# Everything started here gets SIGKILL when the thread that started it ends; the holder also ends when its standard
# input closes. So start what shall live in the thread that lives as long.
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
CLONE_NEWNET = 0x40000000


class Namespaces:
    """`network` always; mount and host name too if `private_mounts`. `script` (sh) prepares them, as root inside."""

    def __init__(self, script, private_mounts):
        kinds = ["--net"] + (["--mount", "--uts", "--propagation", "private"] if private_mounts else [])
        self._enter = ["--net"] + (["--mount", "--uts"] if private_mounts else [])
        self._holder = subprocess.Popen(
            DIES_WITH_US + ["unshare"] + kinds + ["sh", "-ec", script + "\necho ready\nread -r _ || :"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True)
        if self._holder.stdout.readline() != "ready\n":
            self._holder.stdin.close()
            error = self._holder.stderr.read().strip()
            self._holder.wait()
            raise RuntimeError(f"cannot make a host's namespaces (root is needed): {error}")

    @property
    def pid(self):
        return self._holder.pid

    def command(self, argv):
        """The command line that runs `argv` in here; the process that runs it becomes `argv` itself (same pid)."""
        return DIES_WITH_US + ["nsenter", "-t", str(self.pid)] + self._enter + ["--"] + list(argv)

    def run(self, argv, timeout=10, check=True, **more):
        """Runs `argv` in here to its end; with `check`, a failure raises with what it said."""
        done = subprocess.run(self.command(argv), capture_output=True, text=True, timeout=timeout,
                              start_new_session=True, **more)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done

    def path(self, inside):
        """How this program reaches a path of the mount namespace (sockets too)."""
        return f"/proc/{self.pid}/root{inside}"

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A socket of this program that lies in this network namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as own, open(f"/proc/{self.pid}/ns/net") as other:
            if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(family, kind)
            finally:
                libc.setns(own.fileno(), CLONE_NEWNET)

    def processes(self):
        """Pids of all processes in this network namespace but the holder."""
        mine = os.stat(f"/proc/{self.pid}/ns/net").st_ino
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and int(entry) != self.pid and os.stat(f"/proc/{entry}/ns/net").st_ino == mine:
                    found.append(int(entry))
            except OSError:
                continue  # ended meanwhile
        return found

    def close(self):
        """Ends the holder; the namespaces go with their last process. Returns the pids that had to be killed."""
        if self._holder.poll() is not None:
            return []
        left = self.processes()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._holder.kill()
        self._holder.wait()
        for stream in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            stream.close()
        return left
