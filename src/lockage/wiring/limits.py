"""What control groups leave of the machine to this process: memory, and time of CPUs.

Sources: Documentation/admin-guide/cgroup-v2.rst (memory.max, cpu.max) and cgroup-v1/ (memory.limit_in_bytes, cpu.cfs_quota_us) of Linux.
A group is bound by its ancestors' limits as well; in a container the groups above its own are not to be seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cpu_quota", "memory_limit"]

_GROUPS = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self/cgroup")
#: The first version says "no limit" by the largest number of pages that it can count.
_UNLIMITED = 1 << 62


def memory_limit(groups: Path = _GROUPS, process: Path = _PROCESS) -> int | None:
    """Bytes that the process and what it starts may use; None if no group limits that."""
    found = [_number(text) for folder, name in _places(groups, process, "memory") if (text := _read(folder / name["memory"]))]
    return min((limit for limit in found if limit is not None and limit < _UNLIMITED), default=None)


def cpu_quota(groups: Path = _GROUPS, process: Path = _PROCESS) -> int | None:
    """How many CPUs' time the process and what it starts may use, rounded up; None if no group limits that."""
    found: list[int] = []
    for folder, name in _places(groups, process, "cpu"):
        text = _read(folder / name["cpu"])
        words = text.split()
        if name is _FIRST:
            words.append(_read(folder / "cpu.cfs_period_us"))
        quota, period = (_number(word) for word in words) if len(words) == 2 else (None, None)
        if quota and period:
            found.append(max(1, -(-quota // period)))
    return min(found, default=None)


_FIRST = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us"}
_SECOND = {"memory": "memory.max", "cpu": "cpu.max"}


def _places(groups: Path, process: Path, controller: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """The folders of the process's group and of its ancestors, as far as they can be seen, with the names that files have there."""
    for line in _read(process).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            tops, names = (groups, groups / "unified"), _SECOND
        elif controller in controllers.split(","):
            tops, names = (groups / controllers, groups / controller), _FIRST
        else:
            continue
        inner = Path(path.strip().lstrip("/"))
        for top in tops:
            for folder in (inner, *inner.parents):
                if ".." not in folder.parts:
                    yield top / folder, names


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""  # not there, or not to be seen


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None  # "max", or -1: no limit
