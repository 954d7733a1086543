"""What ./demo shows to a person: sentences, commands as they would be typed, and their output."""

import os
import sys
import textwrap
import time

WIDTH = 100


class Terminal:
    """Colours and a progress line only where there is a terminal, and where NO_COLOR does not forbid it. With
    `wait_for_key`, each step waits for Enter."""

    def __init__(self, wait_for_key=False):
        self.live = sys.stdout.isatty()
        self.colour = self.live and "NO_COLOR" not in os.environ
        self.wait_for_key = wait_for_key and sys.stdin.isatty()
        self._steps = 0

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def step(self, title):
        if self.wait_for_key and self._steps:
            input(self._paint("2", "\n[Enter] "))
        self._steps += 1
        self.line("\n" + self._paint("1;36", f"{self._steps}. {title}"))

    def say(self, text):
        for paragraph in textwrap.dedent(text).strip().split("\n\n"):
            self.line(textwrap.fill(" ".join(paragraph.split()), WIDTH))

    def command(self, where, command):
        self.line(self._paint("2", f"  {where}# ") + self._paint("1", command))

    def output(self, text, rc=0, seconds=None):
        """Output of a command; its exit code and time where they matter."""
        for line in text.rstrip("\n").splitlines():
            self.line(f"    {line}")
        if rc or seconds is not None:
            took = f", after {seconds:.1f} s" if seconds is not None else ""
            self.line(self._paint("33" if rc else "32", f"    (exit code {rc}{took})"))

    def good(self, text):
        for line in textwrap.wrap(" ".join(text.split()), WIDTH - 2):
            self.line(self._paint("32", "  " + line))

    def line(self, text=""):
        print(text, flush=True)

    def progress(self, text):
        """A line that the next one replaces; nothing without a terminal."""
        if self.live:
            print("\r\033[K  " + text[:WIDTH - 4], end="", flush=True)

    def progress_end(self, text):
        print(("\r\033[K" if self.live else "") + "  " + text, flush=True)


class Stopwatch:
    def __init__(self):
        self._began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self._began
