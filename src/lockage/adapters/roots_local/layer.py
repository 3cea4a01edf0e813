"""What goes into each kind of layer: packages through the rules of environment/root, wheels through the wheel installer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.sweep import Kept
from lockage.adapters.roots_local.unpack import unpack_debs
from lockage.base.path import RelPath
from lockage.environment.root import LOCAL, Entry, Kind, Member, Package, assemble, complete, python_of, with_aliases, with_parents
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.environment.lock import LockedPackage, LockedWheel
    from lockage.environment.root import Entries
    from lockage.environment.wheel_install import InstalledFile
    from lockage.ports import Blobs

__all__ = ["LayerSpec", "manifest_of", "over", "python_layer", "system_layer", "unpacked_layer", "wheel_packages"]


class LayerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A layer to be put in place: its entries by full path, the bytes of those that were not spooled, and the path it stands for."""

    entries: dict[RelPath, Entry]
    added: dict[RelPath, bytes]
    below: str = ""


def system_layer(
    packages: Sequence[LockedPackage], blobs: Blobs, spool: FileSpool, workers: int, realiser: int, arriving: Iterable[LockedPackage] = ()
) -> LayerSpec:
    """All OS packages, with what maintainer scripts would have done. Raises what reading and joining packages, and arriving, raises."""
    unpacked = unpack_debs(packages, blobs, spool, workers, arriving)
    entries = assemble(unpacked)
    added = complete(entries, unpacked, spool.read, realiser)
    return LayerSpec(entries=entries, added=added)


def unpacked_layer(packages: Sequence[LockedPackage], blobs: Blobs, spool: FileSpool, workers: int) -> LayerSpec:
    """OS packages as they are, to be looked into rather than run from."""
    return LayerSpec(entries=with_parents(with_aliases(assemble(unpack_debs(packages, blobs, spool, workers)))), added={})


def python_layer(wheels: Sequence[LockedWheel], blobs: Blobs, spool: FileSpool, system: Sequence[Kept]) -> LayerSpec:
    """All wheels, over what the OS layer has below /usr/local. Raises :class:`NoPython` if the OS layer has no python3."""
    from lockage.environment.python import NoPython
    from lockage.environment.wheel_install import install_wheel  # only environments with Python packages need a zip reader

    entries = {entry.path: entry for entry in (kept.entry("", "os") for kept in system)}
    python = python_of(entries)
    if python is None:
        raise NoPython("the environment has Python packages, but its OS packages bring no /usr/bin/python3")
    present: Entries = {path: entry for path, entry in entries.items() if path.is_under(LOCAL)}
    packages = wheel_packages(wheels, blobs, spool, LOCAL, lambda file, data: install_wheel(file, data, python))
    return over(LOCAL, packages, present)


def wheel_packages(
    wheels: Sequence[LockedWheel],
    blobs: Blobs,
    spool: FileSpool,
    folder: RelPath,
    install: Callable[[str, bytes], Iterable[InstalledFile]],
) -> list[Package]:
    """The files that wheels install below a folder, spooled."""
    packages = []
    for wheel in wheels:
        members = []
        try:
            data = blobs.get(wheel.ref)
        except BlobCorrupt as error:
            raise error.naming(f"the wheel {wheel.file.name}") from error
        for file in install(wheel.file.name, data):
            source, hasher = spool.write([file.data])
            members.append(
                Member(
                    path=folder.joined(file.path),
                    kind=Kind.FILE,
                    mode=0o755 if file.executable else 0o644,
                    size=hasher.size,
                    sha256=hasher.digest(),
                    source=source,
                )
            )
        packages.append(Package(name=wheel.file.name, members=tuple(members)))
    return packages


def over(folder: RelPath, packages: Sequence[Package], present: Entries) -> LayerSpec:
    """The layer of a folder: packages, with what is present in it already."""
    merged = with_parents(assemble(packages, present))
    return LayerSpec(entries={path: entry for path, entry in merged.items() if path.is_under(folder)}, added={}, below=str(folder))


def manifest_of(spec: LayerSpec) -> list[Kept]:
    """The manifest of a layer, sorted by path; names of one file share the first of them as their source."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    ordered = [spec.entries[path] for path in sorted(spec.entries)]
    for entry in ordered:
        if entry.source:
            first.setdefault(entry.source, entry.path)
            count[entry.source] = count.get(entry.source, 0) + 1
    cut = len(spec.below) + 1 if spec.below else 0
    return [
        Kept(
            path=entry.path[cut:],
            kind=entry.kind,
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            target=entry.target,
            size=entry.size,
            sha256=entry.sha256,
            source=first[entry.source] if count.get(entry.source, 0) > 1 else "",
        )
        for entry in ordered
        if entry.path != spec.below
    ]
