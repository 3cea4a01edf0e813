"""Wheels installed into parts of a spool, one package each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical
from lockage.base.digest import Digest
from lockage.environment.root import LOCAL, Kind, Member, Package
from lockage.environment.wheel_install import install_wheel
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.adapters.roots_local.unpack import Sources
    from lockage.environment.base import Interpreter
    from lockage.environment.lock import LockedWheel

__all__ = ["unpack_wheels"]


def unpack_wheels(
    wheels: Iterable[LockedWheel], sources: Sources, spool: FileSpool, python: str, image: Interpreter | None = None
) -> dict[Digest, Package]:
    """Every wheel as it is installed for a Python (such as ``3.11``), by a key of both; those that are kept unpacked are lent.

    ``image``: the Python is that of an image, with its own places.

    Raises what reading blobs and :func:`install_wheel` raises, and OSError.
    """
    unpacked: dict[Digest, Package] = {}
    for wheel in wheels:
        told = {"file": wheel.file, "kind": "wheel", "python": python, "sha256": wheel.sha256}
        key = Digest.of(canonical(told if image is None else {**told, "folder": image.folder, "path": image.path, "site": image.site}))
        found = None if sources.kept is None else sources.kept.get(key)
        if found is not None:
            spool.borrow(key)
        unpacked[key] = found or _installed(wheel, key, sources, spool, python, image)
    return unpacked


def _installed(wheel: LockedWheel, key: Digest, sources: Sources, spool: FileSpool, python: str, image: Interpreter | None) -> Package:
    try:
        data = sources.blobs.get(wheel.ref)
    except BlobCorrupt as error:
        raise error.naming(f"the wheel {wheel.file.name}") from error
    part = spool.part(key)
    members = []
    folder = LOCAL if image is None else image.folder
    name = wheel.file.name
    own = install_wheel(name, data, python) if image is None else install_wheel(name, data, python, site=image.site, interpreter=image.path)
    for file in own:
        mode = 0o755 if file.executable else 0o644
        source = part.write_known(file.data, mode)
        members.append(
            Member(path=folder.joined(file.path), kind=Kind.FILE, mode=mode, size=len(file.data), sha256=file.sha256, source=source)
        )
    return Package(name=name, members=tuple(members))
