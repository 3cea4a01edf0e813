"""What this machine is: facts that a run records, CPUs and memory; and the refusal of a platform that has no sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from lockage.base.errors import Usage
from lockage.wiring.settings import InvalidSetting

__all__ = ["PlatformUnsupported", "architecture", "cpus", "facts", "memory", "only_linux"]

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


def architecture() -> Literal["amd64", "arm64"]:
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


def facts() -> dict[str, str]:
    """What a run records about the machine."""
    name = _uname()
    found = {"system": name.sysname, "kernel": name.release, "machine": name.machine}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        label, _, value = line.partition(":")
        if label.strip() in ("model name", "flags", "Features"):
            found.setdefault("cpu" if label.startswith("model") else "cpu-features", value.strip())
    return found


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
