"""A long-lived program of a host, controlled by its pid alone."""

import os
import signal
import subprocess
import time

from .wait import wait_for


class Process:
    """One program (corosync, assentd) of one host. `argv` is taken at each start; output is appended to `log`. Its standard
    input is what say() is given if it is `fed`, else nothing."""

    def __init__(self, name, namespaces, argv, log, env=None, fed=False):
        self.name = name
        self.argv = argv
        self.log = log
        self.env = env
        self.fed = fed
        self._namespaces = namespaces
        self._running = None

    @property
    def pid(self):
        return self._running.pid if self._running else None

    @property
    def alive(self):
        return self._running is not None and self._running.poll() is None

    @property
    def exit_code(self):
        """Of the last run; minus the signal if one ended it; None while it runs."""
        return self._running.poll() if self._running else None

    def start(self):
        if self.alive:
            raise RuntimeError(f"{self.name} is already running")
        env = dict(os.environ, **(self.env or {}))
        with open(self.log, "ab") as log:
            log.write(f"---- {time.strftime('%H:%M:%S')} start: {' '.join(self.argv)}\n".encode())
            log.flush()
            self._running = subprocess.Popen(self._namespaces.command(self.argv), stdout=log, stderr=log,
                                             stdin=subprocess.PIPE if self.fed else subprocess.DEVNULL,
                                             start_new_session=True, env=env)

    def say(self, line):
        """A line on its standard input."""
        self._running.stdin.write(f"{line}\n".encode())
        self._running.stdin.flush()

    def signal(self, number):
        self._running.send_signal(number)

    def kill(self):
        """SIGKILL, and waits until it is gone. Returns the moment of the signal (time.monotonic)."""
        moment = time.monotonic()
        if self.alive:
            self.signal(signal.SIGKILL)
            self._running.wait(20)
        return moment

    def stop(self, limit=20):
        """SIGTERM, and waits for the end. Returns the exit code."""
        if self.alive:
            self.signal(signal.SIGTERM)
        return self.wait_exit(limit)

    def wait_exit(self, limit):
        """Waits until it has ended; returns the exit code."""
        wait_for(lambda: not self.alive, limit, f"the end of {self.name}")
        return self.exit_code

    def pause(self):
        """SIGSTOP; returns once no thread of it runs any more."""
        self.signal(signal.SIGSTOP)
        wait_for(lambda: set(self._states()) == {"T"}, 10, f"{self.name} to be stopped")

    def resume(self):
        self.signal(signal.SIGCONT)

    def _states(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stat") as stat:
                yield stat.read().rsplit(")", 1)[1].split()[0]

    def log_tail(self, lines=40):
        """Its last lines, without those of corosync's links."""
        try:
            with open(self.log, errors="replace") as log:
                return [line for line in log if "[KNET" not in line][-lines:]
        except OSError:
            return []
