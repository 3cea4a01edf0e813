"""Control groups of version 2, where the host has delegated them: the kernel counts, and holds what watching alone would let pass.

Source: Documentation/admin-guide/cgroup-v2.rst of the kernel. Invariants: nothing is changed outside of groups made here, but that this
process moves into one of its own where that alone stands in the way; a file that a kernel does not have is passed over; no group outlives
its step, and one that a killed process left is removed by the next.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from pathlib import Path

import msgspec

__all__ = ["Group", "Groups", "Totals"]

#: What a group needs for limits to mean anything; ``cpu`` and ``io`` are taken along where they are there.
_NEEDED = frozenset({"memory", "pids"})
_PREFIX = "lockage-"
#: How long a group may still look populated after its last process was waited for, in seconds.
_EMPTYING = 1.0
_PERIOD = 100_000


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel counted for a group; None for what this kernel does not count. Milliseconds and bytes."""

    user_ms: int | None = None
    system_ms: int | None = None
    peak_charged: int | None = None
    disk_read_bytes: int | None = None
    disk_written_bytes: int | None = None
    peak_processes: int | None = None
    killed_for_memory: int = 0
    refused_forks: int = 0


class Group:
    """One control group, of one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def limit(self, *, memory: int, processes: int, cpus: int) -> None:
        """Set what the kernel holds: bytes, all of them in memory; processes and threads; CPUs. Raises OSError for what it refuses."""
        self._write("memory.max", memory)
        self._write("memory.swap.max", 0)  # else a step would be slow where it should fail
        self._write("memory.oom.group", 1)  # a step of which a part was killed is no result
        self._write("pids.max", processes)
        self._write("cpu.max", f"{cpus * _PERIOD} {_PERIOD}")

    def add(self, process: int) -> None:
        """Put a process into the group; its children will be there too. Raises OSError."""
        (self._folder / "cgroup.procs").write_text(str(process))

    def now(self) -> tuple[int | None, int | None]:
        """Bytes of memory that processes take, shared ones counted once, and the number of processes and threads."""
        return self._fields("memory.stat").get("anon"), self._number("pids.current")

    def totals(self) -> Totals:
        """What was counted until now."""
        cpu, io = self._fields("cpu.stat"), self._io()
        return Totals(
            user_ms=_thousandth(cpu.get("user_usec")),
            system_ms=_thousandth(cpu.get("system_usec")),
            peak_charged=self._number("memory.peak"),
            disk_read_bytes=None if io is None else io[0],
            disk_written_bytes=None if io is None else io[1],
            peak_processes=self._number("pids.peak"),
            killed_for_memory=self._fields("memory.events").get("oom_kill", 0),
            refused_forks=self._fields("pids.events").get("max", 0),
        )

    def remove(self) -> None:
        """Remove the group, once all of it has ended."""
        until = time.monotonic() + _EMPTYING
        while True:
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > until:
                    return  # the next one to make a group tries again
                time.sleep(0.001)
            else:
                return

    def _write(self, name: str, value: int | str) -> None:
        path = self._folder / name
        if path.exists():
            path.write_text(str(value))

    def _text(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_text()
        except OSError:
            return None

    def _number(self, name: str) -> int | None:
        text = (self._text(name) or "").strip()
        return int(text) if text.isdigit() else None

    def _fields(self, name: str) -> dict[str, int]:
        """A file of names and numbers, one a line."""
        pairs = (line.split() for line in (self._text(name) or "").splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}

    def _io(self) -> tuple[int, int] | None:
        """Bytes read and written, of all devices."""
        text = self._text("io.stat")
        if text is None:
            return None
        found = {"rbytes": 0, "wbytes": 0}
        for word in text.split():
            name, _, value = word.partition("=")
            if name in found and value.isdigit():
                found[name] += int(value)
        return found["rbytes"], found["wbytes"]


class Groups:
    """Where groups can be made; may be used from several threads at once.

    ``mount`` is where cgroup2 is mounted, ``own`` the group of this process below it.
    """

    def __init__(self, mount: Path, own: str) -> None:
        self._mount = mount
        self._own = mount / own.strip("/")
        self._numbers = itertools.count()
        self._parent: Path | None = None
        self._looked = False

    @classmethod
    def of_this_process(cls, process: Path = Path("/proc/self")) -> Groups | None:
        """Those of this process; None where cgroup2 is not mounted."""
        try:
            mounts = (process / "mountinfo").read_text()
            groups = (process / "cgroup").read_text()
        except OSError:
            return None
        mount = next((line.split()[4] for line in mounts.splitlines() if " - cgroup2 " in line), None)
        own = next((line.removeprefix("0::") for line in groups.splitlines() if line.startswith("0::")), None)
        return None if mount is None or own is None or own.startswith("/..") else cls(Path(mount), own)

    def make(self) -> Group | None:
        """A new group; None where this process may not make one that counts memory and processes."""
        if not self._looked:
            self._parent = self._delegated()
            self._looked = True
            if self._parent is not None:
                _sweep(self._parent)
        if self._parent is None:
            return None
        folder = self._parent / f"{_PREFIX}{os.getpid()}-{next(self._numbers)}"
        try:
            folder.mkdir()
        except OSError:
            return None
        return Group(folder)

    def _delegated(self) -> Path | None:
        """The nearest group, from this process's own upwards, below which one can be made with all that is needed."""
        for folder in (self._own, *self._own.parents):
            if not folder.is_relative_to(self._mount):
                break
            if _writable(folder) and _words(folder / "cgroup.subtree_control") >= _NEEDED:
                return folder
        return self._own if _writable(self._own) and self._handed_on() else None

    def _handed_on(self) -> bool:
        """Hand this process's own group's controllers on to groups below it, if nobody else is in it."""
        offered = _words(self._own / "cgroup.controllers")
        if not offered >= _NEEDED:
            return False
        wanted = " ".join(f"+{name}" for name in sorted((_NEEDED | {"cpu", "io"}) & offered))
        aside = self._own / f"{_PREFIX}self-{os.getpid()}"
        try:
            if (self._own / "cgroup.procs").read_text().split() != [str(os.getpid())]:
                return False  # a group that has processes of its own cannot have groups below it that count
            aside.mkdir()
            (aside / "cgroup.procs").write_text(str(os.getpid()))
            (self._own / "cgroup.subtree_control").write_text(wanted)
        except OSError:
            with contextlib.suppress(OSError):
                (self._own / "cgroup.procs").write_text(str(os.getpid()))
                aside.rmdir()
            return False
        return True


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _words(file: Path) -> frozenset[str]:
    try:
        return frozenset(file.read_text().split())
    except OSError:
        return frozenset()


def _sweep(parent: Path) -> None:
    """Remove groups that killed processes left; one in which something runs cannot be removed."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).removeprefix("self-").partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _thousandth(number: int | None) -> int | None:
    return None if number is None else round(number / 1000)
