"""One package's files, from its archive into a part of a spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.deb_archive import DebArchive
from lockage.environment.root import InvalidPackage, Member, Package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO, BinaryIO

    from lockage.adapters.roots_local.spool import SpoolPart

__all__ = ["unpack_deb"]

_CHUNK = 1 << 20


def unpack_deb(stream: BinaryIO, file: str, name: str, spool: SpoolPart) -> Package:
    """The package in ``stream``, called ``name`` unless it says another name itself, with its files in the spool.

    Raises :class:`InvalidPackage` and :class:`UnsupportedPackage`, which say ``file``, and OSError.
    """
    archive = DebArchive(stream, file)
    members = [_spooled(member, content, spool, file) for member, content in archive.members()]
    return Package(
        name=archive.field("Package") or name,
        members=tuple(members),
        replaces=archive.replaces,
        control=archive.control,
        script=archive.script,
    )


def _spooled(member: Member, content: IO[bytes] | None, spool: SpoolPart, file: str) -> Member:
    if content is None:
        return member
    source, hasher = spool.write(_chunks(content, member, file), member.mode)
    return msgspec.structs.replace(member, source=source, size=hasher.size, sha256=hasher.digest())


def _chunks(content: IO[bytes], member: Member, file: str) -> Iterable[bytes]:
    left = member.size
    while left:
        try:
            chunk = content.read(min(left, _CHUNK))
        except Exception as error:  # decompressors' errors have no common base but Exception
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InvalidPackage(f"{file} is damaged at {member.path}: {error}", package=file, path=member.path) from error
        if not chunk:
            raise InvalidPackage(f"{file} ends within {member.path}", package=file, path=member.path)
        left -= len(chunk)
        yield chunk
