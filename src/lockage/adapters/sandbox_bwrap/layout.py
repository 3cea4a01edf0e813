"""How ``/`` is put together: the root bound read-only as it is, if its mount points are there or missing in empty folders only.

Else ``/`` is a small tmpfs and the root's entries are bound into it read-only; a folder that lacks a mount point is taken apart
into its entries in turn, so that any build path or home can exist. Fixed files and writable folders come on top in both cases.
Invariant: every folder and link made here is listed in :class:`Layout`, because its time is set once the sandbox stands.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Layout", "arrange"]

#: Places that the sandbox fills itself, whatever the root has there.
_OWN = ("proc", "dev", "sys")
#: The tmpfs of ``/`` holds folders, links and mount points only.
_TOP_SIZE = 1 << 20
_DISPENSABLE = ("etc/compiler-options", "etc/hostname", "etc/machine-id", "etc/resolv.conf")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What to make below ``/``, in this order; paths have no leading slash. ``whole`` is a folder to bind as ``/`` itself.

    ``covered`` are empty folders of it that become a tmpfs, to hold mount points.
    """

    whole: str | None = None
    covered: tuple[str, ...] = ()
    folders: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str], ...]
    binds: tuple[tuple[str, str], ...]

    @property
    def made(self) -> tuple[tuple[str, int], ...]:
        """The folders that are ours, with their modes."""
        own = () if self.whole is not None else ((".", 0o755),)
        return (*self.folders, *((path, 0o755) for path in self.covered), *own)

    def arguments(self) -> list[str]:
        """The arguments for bubblewrap that make it."""
        top = ["--ro-bind", self.whole] if self.whole is not None else ["--size", str(_TOP_SIZE), "--perms", "0755", "--tmpfs"]
        found = [*top, "/"]
        for path in self.covered:
            found += ["--size", str(_TOP_SIZE), "--perms", "0755", "--tmpfs", f"/{path}"]
        for path, mode in self.folders:
            found += ["--perms", f"{mode:04o}", "--dir", f"/{path}"]
        for path, target in self.links:
            found += ["--symlink", target, f"/{path}"]
        for source, path in self.binds:
            found += ["--ro-bind", source, f"/{path}"]
        return found


class _Plan:
    def __init__(self, base: Path, points: set[str]) -> None:
        self.base = base
        self.points = points
        self.folders: dict[str, int] = {}
        self.links: list[tuple[str, str]] = []
        self.binds: list[tuple[str, str]] = []

    def take(self, prefix: str) -> None:
        """List one folder of the base, entry by entry."""
        for entry in sorted((self.base / prefix).iterdir(), key=lambda entry: entry.name):
            path = f"{prefix}{entry.name}"
            if path in self.points:
                continue
            mode = entry.lstat().st_mode
            if stat.S_ISLNK(mode):
                self.links.append((path, str(entry.readlink())))
            elif stat.S_ISDIR(mode) and self._lacking(path):
                self.folders[path] = stat.S_IMODE(mode)
                self.take(f"{path}/")
            elif stat.S_ISDIR(mode) and _empty(entry):
                self.folders[path] = stat.S_IMODE(mode)
            else:
                self.binds.append((str(entry), path))

    def _lacking(self, path: str) -> bool:
        below = [point for point in self.points if point.startswith(f"{path}/")]
        return any(not _real(self.base, point) for point in below)


def _empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except PermissionError:
        return False


def _real(base: Path, point: str) -> bool:
    """Whether a path exists in the base without passing a symbolic link."""
    here = base
    for part in point.split("/"):
        here = here / part
        try:
            mode = here.lstat().st_mode
        except OSError:
            return False
        if stat.S_ISLNK(mode):
            return False
    return True


def _parents(point: str) -> list[str]:
    parts = point.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _covers(base: Path, points: set[str]) -> tuple[str, ...] | None:
    """The empty folders of the base in which every mount point that it lacks can be made; None if one lies elsewhere."""
    found = set()
    for point in points:
        if not _real(base, point):
            real = [parent for parent in _parents(point) if _real(base, parent)]
            if not real or not (base / real[-1]).is_dir() or not _empty(base / real[-1]):
                return None
            if real[-1] not in points:
                found.add(real[-1])
    return tuple(sorted(found))


def _same(base: Path, point: str, content: Path) -> bool:
    try:
        return _real(base, point) and (base / point).read_bytes() == content.read_bytes()
    except OSError:
        return False


def arrange(layers: Iterable[tuple[str, Path]], fixed: Mapping[str, Path], writable: Iterable[str], later: Iterable[str] = ()) -> Layout:
    """The layout of a root: ``fixed`` are files to show by absolute path; ``writable`` and ``later`` are what is mounted on top afterwards.

    A fixed file that the root has already, byte for byte, costs no mount; one that programs can do without is left out where
    the root lacks it, as a new mount point costs one mount for each of its neighbours.
    """
    (base_place, base), *rest = layers
    if base_place.strip("/"):
        raise ValueError(f"the first layer of a root is mounted at /, not at /{base_place}")
    above = [(place.strip("/"), folder) for place, folder in rest]
    wanted = {path.lstrip("/"): file for path, file in fixed.items() if not _same(base, path.lstrip("/"), file)}
    wanted = {path: file for path, file in wanted.items() if path not in _DISPENSABLE or _real(base, path)}
    points = {*_OWN, *(place for place, _ in above), *wanted, *(path.strip("/") for path in (*writable, *later))}
    tops = [*((str(folder), place) for place, folder in above), *((str(file), path) for path, file in sorted(wanted.items()))]
    covered = _covers(base, points)
    if covered is not None:
        inner = {parent for point in points for parent in _parents(point) for cover in covered if parent.startswith(f"{cover}/")} - points
        folders = tuple((path, 0o755) for path in sorted(inner))
        return Layout(whole=str(base), covered=covered, folders=folders, links=(), binds=tuple(tops))
    plan = _Plan(base, points)
    plan.take("")
    bound = {path for _, path in plan.binds}
    for point in sorted(points):
        for parent in _parents(point):
            if parent in bound or parent in points:
                break
            plan.folders.setdefault(parent, 0o755)
    return Layout(folders=tuple(sorted(plan.folders.items())), links=tuple(sorted(plan.links)), binds=(*plan.binds, *tops))
