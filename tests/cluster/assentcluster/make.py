"""Configuring and building the checkout for ./demo."""

import os
import subprocess
import sys

from .build import TOP
from .terminal import Stopwatch


class BuildFailed(Exception):
    """Says which step failed, with the end of what it printed."""


def build(terminal, folder):
    """`configure` and `make` in `folder`; what is already built is not built again."""
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(TOP, "configure")):
        run_step(terminal, "making ./configure", [os.path.join(TOP, "autogen.sh")], TOP)
    if not os.path.exists(os.path.join(folder, "config.status")):
        run_step(terminal, "configure", [os.path.join(TOP, "configure"), "--disable-tests"], folder)
    jobs = str(len(os.sched_getaffinity(0)))
    run_step(terminal, "make (a few minutes the first time)", ["make", "-j" + jobs], folder)


def run_step(terminal, name, argv, folder):
    """Runs a long command, showing its last line while it runs."""
    watch = Stopwatch()
    if not terminal.live:
        terminal.line(f"  {name} …")
    last = []
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as running:
        try:
            for line in running.stdout:
                last = (last + [line])[-30:]
                terminal.progress(f"{name}, {watch.seconds():.0f} s: {line.strip()}")
        except BaseException:
            running.terminate()
            raise
    if running.returncode != 0:
        sys.stdout.write("\n")
        raise BuildFailed(f"{name} failed ({' '.join(argv)} in {folder}):\n" + "".join(last))
    terminal.progress_end(f"{name}: done in {watch.seconds():.0f} s")
