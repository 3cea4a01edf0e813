"""What this machine is: facts that a run records, CPUs and memory; and the refusal of a platform that has no sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.errors import LockageError, Usage
from lockage.wiring.settings import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockage.environment.declaration import Architecture

__all__ = ["PlatformUnsupported", "architecture", "cpus", "facts", "memory", "only_linux"]

_PROC = Path("/proc")
_NAMES = {"darwin": "macOS", "win32": "Windows", "cygwin": "Windows (Cygwin)"}


class PlatformUnsupported(Usage):
    """The command needs a sandbox, which only Linux has."""

    code = "platform-unsupported"
    hint = "Run it on Linux: a machine, a virtual machine or a container (docs/company.md). What needs no sandbox works here as well."


def only_linux() -> None:
    """Raises :class:`PlatformUnsupported` anywhere but on Linux."""
    if sys.platform != "linux":
        raise _unsupported()


def _unsupported() -> PlatformUnsupported:
    name = _NAMES.get(sys.platform, sys.platform)
    return PlatformUnsupported(
        f"steps run in a sandbox of Linux's namespaces, and this is {name}; init, lock, build, test, verify and release need one, "
        "what reads, judges and promotes does not",
        platform=sys.platform,
    )


def architecture() -> Architecture:
    """Debian's name of the architecture. Raises :class:`PlatformUnsupported`; :class:`InvalidSetting` if there is no such Debian."""
    machine = _uname().machine
    if machine in ("x86_64", "amd64"):
        return "amd64"
    if machine in ("aarch64", "arm64"):
        return "arm64"
    raise InvalidSetting(f"environments are made for amd64 and arm64, this machine is {machine}", hint="Build on another machine.")


def _uname() -> os.uname_result:
    if sys.platform == "linux":
        return os.uname()
    raise _unsupported()


def facts(store: Path, bwrap: Callable[[], Path]) -> dict[str, str]:
    """What a run records about the machine, as far as it can be found out; ``bwrap`` gives the program that makes the sandboxes."""
    import platform  # only a run that is recorded asks

    from lockage import __version__
    from lockage.record.host import HostFact

    name = _uname()
    found = {HostFact.SYSTEM: name.sysname, HostFact.KERNEL: name.release, HostFact.MACHINE: name.machine}
    for label, value in _fields(_PROC / "cpuinfo"):
        if label in ("model name", "flags", "Features"):
            found.setdefault(HostFact.CPU if label.startswith("model") else HostFact.CPU_FEATURES, value)
    found[HostFact.CPUS] = str(len(cpus()))
    found[HostFact.MEMORY] = str(memory())
    found[HostFact.LOCKAGE] = __version__
    found[HostFact.PYTHON] = platform.python_version()
    found |= {HostFact.SANDBOX: version} if (version := _version(bwrap)) else {}
    found |= {HostFact.STORE_FILE_SYSTEM: kind} if (kind := _file_system(store)) else {}
    found[HostFact.CONTROL_GROUPS] = _control_groups()
    return {str(fact): value for fact, value in found.items()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _fields(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        label, _, value = line.partition(":")
        yield label.strip(), value.strip()


def _version(bwrap: Callable[[], Path]) -> str | None:
    """What the program says of itself, such as ``bubblewrap 0.11.0``."""
    import subprocess

    try:
        said = subprocess.run([bwrap(), "--version"], capture_output=True, text=True, check=False, timeout=5)  # noqa: S603 (the program that makes the sandboxes)
    except (OSError, subprocess.SubprocessError, LockageError):
        return None
    return said.stdout.strip()[:80] or None


def _file_system(folder: Path) -> str | None:
    """The type of the file system that a folder is on: of the mounts above it the deepest, of several at one place the last."""
    import re

    folder = folder.resolve()
    best: tuple[int, str] | None = None
    for line in _lines(_PROC / "self" / "mountinfo"):  # proc_pid_mountinfo(5): (5) the place, and behind the lone hyphen the type
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        if len(words) < 5 or not after:
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4]))
        if folder.is_relative_to(place) and (best is None or len(place.parts) >= best[0]):
            best = (len(place.parts), after.split(" ")[0])
    return None if best is None else best[1]


def _control_groups() -> str:
    """Which control groups this process is in (cgroups(7)): ``v2``, ``v1``, ``v1 and v2`` on a host that has both, or ``none``."""
    groups = [line.split(":", 2) for line in _lines(_PROC / "self" / "cgroup")]
    second = any(group[0] == "0" and group[1:2] == [""] for group in groups)
    first = any(len(group) > 1 and group[0] != "0" for group in groups)
    return "v1 and v2" if first and second else "v2" if second else "v1" if first else "none"


def cpus() -> tuple[int, ...]:
    """The CPUs that this process may use."""
    if sys.platform == "linux":
        return tuple(sorted(os.sched_getaffinity(0)))
    raise _unsupported()


def memory() -> int:
    """The machine's memory in bytes."""
    if sys.platform == "linux":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    raise _unsupported()
