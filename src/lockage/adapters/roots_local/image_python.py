"""Python packages over what an image has of its own beside its interpreter.

The layer lies over the interpreter's whole folder, so that it holds what is there as well. A project that the image has installed gives way
to the wheel of the same project: what its RECORD lists is taken away (PyPA "Recording installed projects").
"""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.kept_layer import KeptLayer
from lockage.adapters.roots_local.layer import over
from lockage.adapters.roots_local.unpack_wheel import unpack_wheels
from lockage.base.canonical import canonical
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.python import NoPython
from lockage.environment.root import Kind, Member, Package, metadata_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from lockage.adapters.roots_local.layer import LayerSpec
    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpack import Sources
    from lockage.environment.base import LockedImage
    from lockage.environment.lock import LockedWheel
    from lockage.environment.root import Entries, Entry

__all__ = ["image_python_layer"]


def image_python_layer(image: LockedImage, wheels: Sequence[LockedWheel], sources: Sources, spool: FileSpool, below: Path) -> LayerSpec:
    """All wheels, over what the image's root in ``below`` has in the interpreter's folder. Raises :class:`NoPython`, RootDrift."""
    python = image.python
    if python is None:
        raise NoPython("the environment has Python packages, but no Python of its image is known", hint="Run `lockage lock`.")
    layer = KeptLayer(below, "", "image")
    entries = [entry for entry in layer.entries if entry.path.is_under(python.folder)]
    key, own = _copied(image, python.folder, layer, entries, sources, spool)
    from_copy = {member.path: member.source for member in own.members}
    present: Entries = {
        entry.path: msgspec.structs.replace(entry, source=from_copy[entry.path]) if entry.kind is Kind.FILE else entry for entry in entries
    }
    for gone in _replaced(present, layer, RelPath(f"{python.folder}/{python.site}"), {_normal(wheel.name) for wheel in wheels}):
        del present[gone]
    unpacked = unpack_wheels(wheels, sources, spool, ".".join(python.version.split(".")[:2]), python)
    spec = over(python.folder, unpacked, present)
    return msgspec.structs.replace(spec, packages={key: own, **unpacked})


def _copied(
    image: LockedImage, folder: RelPath, layer: KeptLayer, entries: Sequence[Entry], sources: Sources, spool: FileSpool
) -> tuple[Digest, Package]:
    """The files that an image has in a folder as a package, by a key of them, which all sets of wheels share."""
    key = Digest.of(canonical({"entries": Digest.of(metadata_bytes(entries)), "kind": "image-folder"}))
    kept = None if sources.kept is None else sources.kept.get(key)
    if kept is not None:
        spool.borrow(key)
        return key, kept
    part = spool.part(key)
    copies: dict[str, str] = {}
    members = []
    for entry in entries:
        if entry.kind is Kind.FILE:
            first = entry.source or str(entry.path)
            if first not in copies:
                copies[first], _ = part.write([layer.read(entry)], entry.mode)
            members.append(
                Member(path=entry.path, kind=Kind.FILE, mode=entry.mode, size=entry.size, sha256=entry.sha256, source=copies[first])
            )
    return key, Package(name=f"/{folder} of {image.name}", members=tuple(members))


def _replaced(present: Entries, layer: KeptLayer, site: RelPath, projects: Collection[str]) -> set[RelPath]:
    """What the image has of these projects: the files of their RECORDs, their bytecode, and the folders that are empty then."""
    gone: set[RelPath] = set()
    for path, entry in present.items():
        if path.name == "RECORD" and entry.kind is Kind.FILE and path.parent is not None and path.parent.parent == site:
            name, _, _ = path.parent.name.removesuffix(".dist-info").partition("-")
            if _normal(name) in projects:
                gone.update(one for one in _recorded(layer.read(entry), site) if one in present)
                gone.update(one for one in present if one.is_under(path.parent))
    gone.update(one for one in present if (source := _source_of(one)) is not None and source in gone)
    gone = {one for one in gone if present[one].kind is not Kind.DIRECTORY}
    return gone | set(_emptied(present, gone, site))


def _recorded(record: bytes, site: RelPath) -> Iterator[RelPath]:
    """The paths that a RECORD lists, from the site folder on, where they stay in the root."""
    for row in csv.reader(io.StringIO(record.decode("utf-8", "replace"))):
        here = list(site.parts)
        for part in row[0].split("/") if row and not row[0].startswith("/") else ():
            here = here[:-1] if part == ".." else here if part in ("", ".") else [*here, part]
        with suppress(ValueError):  # no path of a root
            yield RelPath("/".join(here))


def _source_of(path: RelPath) -> RelPath | None:
    """The module whose bytecode a file is (PEP 3147)."""
    match = re.fullmatch(r"(.*/)__pycache__/([^/.]+)\.[^/]+\.pyc", path)
    return RelPath(f"{match[1]}{match[2]}.py") if match is not None else None


def _emptied(present: Entries, gone: Collection[RelPath], site: RelPath) -> Iterator[RelPath]:
    """The folders below the site folder in which everything goes."""
    left = {above for path, entry in present.items() if entry.kind is not Kind.DIRECTORY and path not in gone for above in _above(path)}
    touched = {above for path in gone for above in _above(path)}
    for path, entry in present.items():
        if entry.kind is Kind.DIRECTORY and path != site and path.is_under(site) and path in touched and path not in left:
            yield path


def _above(path: RelPath) -> Iterator[RelPath]:
    above = path.parent
    while above is not None:
        yield above
        above = above.parent


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
