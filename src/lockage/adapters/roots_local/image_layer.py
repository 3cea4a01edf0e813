"""The layers of an image, unpacked and put on top of each other: what is below everything else where an environment begins with one."""

from __future__ import annotations

import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from lockage.adapters.roots_local.layer import LayerSpec
from lockage.environment.image.errors import InvalidImage
from lockage.environment.root import InvalidPackage, Kind, Member, member_path, normal_mode, refuse_escaping_link
from lockage.environment.root.fitted import fitted
from lockage.environment.root.layered import layered
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.base.digest import BlobRef
    from lockage.base.path import RelPath
    from lockage.environment.base import LockedImage
    from lockage.ports import Blobs

__all__ = ["image_layer"]

_CHUNK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: A layer that unpacks to more is refused, in bytes; one that is packed with zstd is in memory as a whole, and bounded sooner.
_MOST_UNPACKED = 64 << 30
_MOST_IN_MEMORY = 8 << 30


def image_layer(image: LockedImage, blobs: Blobs, spool: FileSpool, workers: int) -> LayerSpec:
    """Everything that the image's layers leave, and what its root needs besides. Raises :class:`InvalidImage`, UnsupportedPackage, OSError.

    Layers are unpacked several at once, and put together in their order.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="image") as pool:
        tasks = [pool.submit(_unpacked, ref, f"layer {number} of {image.name}", blobs, spool) for number, ref in enumerate(image.layers, 1)]
        try:
            members = [task.result() for task in tasks]
            entries = layered(members)
        except BaseException as error:
            spool.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, InvalidPackage):
                raise InvalidImage(f"{image.name}: {error.message}", path=str(error.details.get("path", ""))) from error
            raise
    return LayerSpec(entries=entries, added=fitted(entries))


def _unpacked(ref: BlobRef, name: str, blobs: Blobs, spool: FileSpool) -> list[Member]:
    """The members of a layer, with the bytes of its files in the spool."""
    try:
        opened = blobs.open(ref)
    except BlobCorrupt as error:
        raise error.naming(name) from error
    found: list[Member] = []
    size = 0
    with opened as stream:
        try:
            with tarfile.open(fileobj=_plain(stream), mode="r|", bufsize=1 << 18, encoding="utf-8", errors="surrogateescape") as tar:
                while (info := tar.next()) is not None:
                    member = _member(info, name)
                    if member is not None:
                        size += member.size
                        if size > _MOST_UNPACKED:
                            raise InvalidPackage(f"{name} unpacks to more than {_MOST_UNPACKED} bytes", package=name)
                        found.append(_spooled(member, tar.extractfile(info), spool, name) if member.kind is Kind.FILE else member)
                    tar.members = []  # type: ignore[attr-defined]  # what is behind us is not asked for again, and there may be very many
        except Exception as error:  # decompressors' errors have no common base but Exception
            if isinstance(error, tarfile.TarError | EOFError | ValueError) or type(error).__name__ == "error" or _without_number(error):
                raise InvalidPackage(f"{name} is damaged: {error}", package=name) from error
            raise
    return found


def _without_number(error: Exception) -> bool:
    """Whether it is what gzip says of a damaged file, which is an OSError that the system knows nothing of."""
    return isinstance(error, OSError) and error.errno is None and not isinstance(error, InterruptedError)


def _plain(stream: BinaryIO) -> BinaryIO:
    """The archive in a layer, whatever it is packed with; its media type need not be right."""
    head = stream.read(4)
    stream.seek(0)
    if head.startswith(_GZIP):
        import gzip

        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    if head == _ZSTD:
        from lockage.stabilize.errors import ArchiveTooLarge, MalformedArchive  # few layers are packed so
        from lockage.stabilize.stream import unpack

        try:
            return BytesIO(unpack("zstd", stream.read(), _MOST_IN_MEMORY))
        except (ArchiveTooLarge, MalformedArchive) as error:
            raise ValueError(error.message) from error
    return stream


def _member(info: tarfile.TarInfo, layer: str) -> Member | None:
    """A member that a root can hold; devices, pipes and sockets are passed over, as no step could use what they stand for."""
    path = member_path(info.name, layer)
    if path is None:
        return None
    target = ""
    if info.issym():
        kind, target = Kind.LINK, info.linkname
        refuse_escaping_link(path, target, layer)
    elif info.islnk():
        linked = member_path(info.linkname, layer)
        if linked is None:
            raise InvalidPackage(f"{layer} has a hardlink to its top: {path}", package=layer, path=path)
        kind, target = Kind.HARDLINK, str(linked)
    elif info.isdir():
        kind = Kind.DIRECTORY
    elif info.isfile():
        kind = Kind.FILE
    else:
        return None
    return Member(path=path, kind=kind, mode=normal_mode(info.mode, kind), uid=info.uid, gid=info.gid, target=target, size=info.size)


def _spooled(member: Member, content: IO[bytes] | None, spool: FileSpool, layer: str) -> Member:
    assert content is not None
    source, hasher = spool.write(_chunks(content, member.path, member.size, layer))
    return msgspec.structs.replace(member, source=source, size=hasher.size, sha256=hasher.digest())


def _chunks(content: IO[bytes], path: RelPath, size: int, layer: str) -> Iterator[bytes]:
    left = size
    while left:
        chunk = content.read(min(left, _CHUNK))
        if not chunk:
            raise InvalidPackage(f"{layer} ends within {path}", package=layer, path=path)
        left -= len(chunk)
        yield chunk
