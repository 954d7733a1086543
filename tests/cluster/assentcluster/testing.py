"""How a test of this folder is run: a function test_* of a file test_*.py, in a process of its own."""

import importlib
import os
import signal
import subprocess
import sys
import time
import traceback

FOLDER = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
GRACE = 15  # seconds a test that ran out of time has to print its logs and to clean up


def limit(seconds):
    """Decorator: the test's time limit, instead of 60 s."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


def discover():
    """[(name, limit in seconds)] of all tests, in the order of the files' names and of the functions in them."""
    found = []
    for file in sorted(os.listdir(FOLDER)):
        if file.startswith("test_") and file.endswith(".py"):
            module = importlib.import_module(file[:-3])
            found += [(f"{file[5:-3]}.{name[5:]}", getattr(function, "limit", 60))
                      for name, function in vars(module).items()
                      if name.startswith("test_") and getattr(function, "__module__", "") == file[:-3]]
    return found


def run_here(name):
    """Runs one test in this process. SIGTERM unwinds it, so that its cluster is taken down. Returns an exit code."""
    def out_of_time(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise TimeoutError("the test ran out of its time")

    signal.signal(signal.SIGTERM, out_of_time)
    file, function = name.split(".")
    try:
        getattr(importlib.import_module(f"test_{file}"), f"test_{function}")()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def run_apart(name, seconds, log):
    """Runs one test in a process of its own with its output to `log`. Returns (passed, seconds it took)."""
    began = time.monotonic()
    test = subprocess.Popen([sys.executable, "-u", os.path.join(FOLDER, "run"), "--here", name], stdout=log, stderr=log,
                            stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        test.wait(seconds)
    except subprocess.TimeoutExpired:
        test.terminate()
        try:
            test.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
    finally:
        if test.poll() is None:
            test.terminate()
            try:
                test.wait(GRACE)
            except subprocess.TimeoutExpired:
                test.kill()
                test.wait()
    return test.returncode == 0, time.monotonic() - began
