"""What goes into each kind of layer: packages through the rules of environment/root, wheels through the wheel installer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.sweep import Kept
from lockage.adapters.roots_local.unpack import unpack_debs
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import LOCAL, Entry, Package, assemble, complete, python_of, with_aliases, with_parents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpack import Sources
    from lockage.environment.lock import LockedPackage, LockedWheel
    from lockage.environment.root import Entries

__all__ = ["LayerSpec", "manifest_of", "over", "python_layer", "system_layer", "unpacked_layer"]


class LayerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A layer to be put in place: its entries by full path, the bytes of those that no package brings, and the path it stands for.

    ``packages`` are those that its files are of, by the part of the spool that has them.
    """

    entries: dict[RelPath, Entry]
    added: dict[RelPath, bytes]
    packages: dict[Digest, Package]
    below: str = ""


def system_layer(
    packages: Sequence[LockedPackage], sources: Sources, spool: FileSpool, realiser: int, arriving: Iterable[LockedPackage] = ()
) -> LayerSpec:
    """All OS packages, with what maintainer scripts would have done. Raises what reading and joining packages, and arriving, raises."""
    unpacked = unpack_debs(packages, sources, spool, arriving)
    entries = assemble(unpacked.values())
    added = complete(entries, unpacked.values(), spool.read, realiser)
    return LayerSpec(entries=entries, added=added, packages=unpacked)


def unpacked_layer(packages: Sequence[LockedPackage], sources: Sources, spool: FileSpool) -> LayerSpec:
    """OS packages as they are, to be looked into rather than run from."""
    unpacked = unpack_debs(packages, sources, spool)
    return LayerSpec(entries=with_parents(with_aliases(assemble(unpacked.values()))), added={}, packages=unpacked)


def python_layer(wheels: Sequence[LockedWheel], sources: Sources, spool: FileSpool, system: Sequence[Kept]) -> LayerSpec:
    """All wheels, over what the OS layer has below /usr/local. Raises :class:`NoPython` if the OS layer has no python3."""
    from lockage.adapters.roots_local.unpack_wheel import unpack_wheels  # only environments with Python packages need a zip reader
    from lockage.environment.python import NoPython

    entries = {entry.path: entry for entry in (kept.entry("", "os") for kept in system)}
    python = python_of(entries)
    if python is None:
        raise NoPython("the environment has Python packages, but its OS packages bring no /usr/bin/python3")
    present: Entries = {path: entry for path, entry in entries.items() if path.is_under(LOCAL)}
    return over(LOCAL, unpack_wheels(wheels, sources, spool, python), present)


def over(folder: RelPath, unpacked: dict[Digest, Package], present: Entries) -> LayerSpec:
    """The layer of a folder: unpacked packages over what is present in it already."""
    merged = with_parents(assemble(unpacked.values(), present))
    ours = {path: entry for path, entry in merged.items() if path.is_under(folder)}
    return LayerSpec(entries=ours, added={}, packages=unpacked, below=str(folder))


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
