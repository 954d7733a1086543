"""A bad disk and bad clocks for a process of a host: what shim/shim.cc does in it, controlled from here."""

import errno
import mmap
import os
import struct
import time

LAYOUT = struct.Struct("<IIIiIIqqqqq")  # struct Control of shim/shim.h
UNDO = struct.Struct("<QQQ")  # struct Undo
HONEST, FAILS, LIES = 0, 1, 2
STATE = "/var/lib/assent"
PPM = 1_000_000


class Shim:
    """Make it before the process (the host's daemon) is started for the first time. Its disk is the files whose paths begin
    with `state`. The clocks go on through restarts."""

    def __init__(self, host, process=None, state=STATE + "/", name=""):
        self._state = host.namespaces.path(state)
        self._undo = host.namespaces.path(f"/run/undo{name}")
        control = host.namespaces.path(f"/run/shim{name}")
        os.mkdir(self._undo, 0o700)
        with open(control, "w+b") as file:
            file.truncate(LAYOUT.size)
            self._control = mmap.mmap(file.fileno(), LAYOUT.size)
        raw, boot = self._clocks()
        self._disk = [HONEST, 0, 0]
        self._clock = [0, raw, raw, boot, boot, 0]
        self._version = 2
        self._write()
        process = process or host.daemon
        process.env = dict(process.env or {}, LD_PRELOAD=host.build.program("assent-test-shim.so"),
                           ASSENT_SHIM_CONTROL=f"/run/shim{name}", ASSENT_SHIM_STATE=state, ASSENT_SHIM_UNDO=f"/run/undo{name}")

    @staticmethod
    def _clocks():
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW), time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def _write(self):
        rate, *rest = self._clock
        words = self._disk + [rate, self._version, 0] + rest
        self._control[:] = LAYOUT.pack(*words)

    def _write_clock(self):
        self._version += 1
        struct.pack_into("<I", self._control, 16, self._version)  # odd: readers wait
        self._version += 1
        self._write()

    # Disk -----------------------------------------------------------------------------------------------------------
    def sync(self, how):
        """HONEST, FAILS (EIO) or LIES (says it was done, and does nothing)."""
        self._disk[0] = how
        self._write()

    def sync_delay(self, seconds):
        self._disk[1] = int(seconds * 1e6)
        self._write()

    def disk_full(self, full=True):
        self._disk[2] = errno.ENOSPC if full else 0
        self._write()

    def roll_back(self, rng):
        """The process must have ended. As if the power had failed: of each file's writes that were not synced (really)
        the last ones are gone, all or some, and one of them may be torn. Returns how many."""
        files = {}
        for folder, _, names in os.walk(os.path.dirname(self._state)):
            paths = (os.path.join(folder, name) for name in names)
            files.update({str(os.lstat(path).st_ino): path for path in paths if path.startswith(self._state)})
        dropped = 0
        for name in sorted(os.listdir(self._undo)):
            writes = self._unsynced(os.path.join(self._undo, name))
            if name in files and writes:
                kept = rng.choice((0, rng.randrange(len(writes) + 1)))
                torn = kept < len(writes) and rng.random() < 0.5
                self._take_back(files[name], writes, kept, rng.random() if torn else 0)
                dropped += len(writes) - kept
            os.unlink(os.path.join(self._undo, name))
        return dropped

    @staticmethod
    def _unsynced(path):
        """[(offset, size of the file before, old bytes)]"""
        with open(path, "rb") as file:
            data = file.read()
        writes, at = [], 0
        while at + UNDO.size <= len(data):
            offset, old_size, size = UNDO.unpack_from(data, at)
            at += UNDO.size
            writes.append((offset, old_size, data[at:at + size]))
            at += size
        return writes

    @staticmethod
    def _take_back(path, writes, kept, torn):
        """Of the first write that is not kept, the part `torn` (0 to 1, in whole sectors) is on the disk all the same."""
        with open(path, "r+b") as file:
            for number in range(len(writes) - 1, kept - 1, -1):
                offset, old_size, old = writes[number]
                end = os.fstat(file.fileno()).st_size
                keep = 0
                if number == kept and torn and end > offset:
                    keep = max(0, (offset + int(torn * (end - offset))) // 512 * 512 - offset)
                file.seek(offset + min(keep, len(old)))
                file.write(old[min(keep, len(old)):])
                file.flush()
                os.ftruncate(file.fileno(), max(old_size, offset + keep) if end > old_size else old_size)
            os.fsync(file.fileno())

    # Clocks ---------------------------------------------------------------------------------------------------------
    def rate(self, ppm):
        """From now on both clocks of the protocol run by so many millionths faster. They make no step back."""
        rate, raw_from, raw_said, boot_from, boot_said, wall = self._clock
        raw, boot = self._clocks()
        step = 1_000_000  # as nobody knows when exactly a reader reads
        raw_now = raw_said + (raw - raw_from) + (raw - raw_from) * rate // PPM + step
        boot_now = boot_said + (boot - boot_from) + (boot - boot_from) * rate // PPM + step
        self._clock = [ppm, raw, raw_now, boot, boot_now, wall]
        self._write_clock()

    def wall_clock(self, seconds):
        """The wall clock is off by so much."""
        self._clock[5] = int(seconds * 1e9)
        self._write_clock()
