"""A switch that can be bad in all ways: the program assent-test-switch (switch/), with a TAP device as each host's eth0."""

import subprocess

from .namespace import DIES_WITH_US

PROGRAM = "assent-test-switch"


class TapSwitch:
    """As Switch (plug, cut, heal, close), and more: rule() and clear(). Rules have names; all that fit a packet act on it."""

    def __init__(self, build, seed=1, delay=0):
        """`delay` (ms) is what every packet takes, whatever the rules are."""
        self._process = subprocess.Popen(DIES_WITH_US + [build.program(PROGRAM), str(seed)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, start_new_session=True, text=True, bufsize=1)
        self._cuts = 0
        self._delay = delay
        self.heal()

    def command(self, line):
        """One line of what switch/fabric.h and switch/main.cc say. Returns the words after `ok`."""
        self._process.stdin.write(line + "\n")
        answer = self._process.stdout.readline()
        if not answer.startswith("ok"):
            raise RuntimeError(f"switch: {line}: {answer.strip() or 'it has ended'}")
        return answer[2:].strip()

    def plug(self, node, holder_pid):
        """Makes eth0 in the network namespace of `holder_pid`."""
        self.command(f"plug {node} {holder_pid}")

    def rule(self, name, sender=0, receiver=0, **settings):
        """A rule for packets from one host to another (0: any). settings: filter=all|corosync|side, drop, duplicate,
        corrupt (0 to 1), delay, jitter (ms)."""
        words = "".join(f" {word}={value}" for word, value in settings.items())
        self.command(f"rule {name} from={sender} to={receiver}{words}")

    def clear(self, name):
        self.command(f"clear {name}")

    def cut(self, node, what="all", direction="both", peer=0):
        """Drops packets of a node, as Switch.cut()."""
        for way, sender, receiver in (("out", node, peer), ("in", peer, node)):
            if direction in ("both", way):
                self._cuts += 1
                self.rule(f"cut{self._cuts}", sender, receiver, filter=what, drop=1)

    def heal(self):
        """No rules any more."""
        self.command("clear")
        if self._delay:
            self.rule("distance", delay=self._delay)

    def counts(self):
        """What it did to packets so far: name → number."""
        return {name: int(number) for name, number in (word.split("=") for word in self.command("stats").split())}

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        return []
