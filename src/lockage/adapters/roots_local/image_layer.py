"""The layers of an image, unpacked and put on top of each other: what is below everything else where an environment begins with one."""

from __future__ import annotations

import stat
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from lockage.adapters.roots_local.layer import LayerSpec
from lockage.base.canonical import canonical
from lockage.base.digest import Digest, Hasher
from lockage.environment.image.errors import InvalidImage
from lockage.environment.image.received import ReceivedLayer
from lockage.environment.root import InvalidPackage, Kind, Member, Package, member_path, normal_mode, refuse_escaping_link
from lockage.environment.root.fitted import fitted
from lockage.environment.root.layered import layered
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from lockage.adapters.roots_local.spool import FileSpool, SpoolPart
    from lockage.adapters.roots_local.unpack import Sources
    from lockage.base.digest import BlobRef
    from lockage.base.path import RelPath
    from lockage.environment.base import LockedImage
    from lockage.ports import Blobs

__all__ = ["image_layer", "received_layers"]

_CHUNK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: A layer that unpacks to more is refused, in bytes; one that is packed with zstd is in memory as a whole, and bounded sooner.
_MOST_UNPACKED = 64 << 30
_MOST_IN_MEMORY = 8 << 30
#: What stands in a mode for what a root has not: st_mode's types (inode(7)), and that whoever executes a file gains something by it.
_TYPES = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
_CAPABILITIES = "SCHILY.xattr.security.capability"


def image_layer(image: LockedImage, sources: Sources, spool: FileSpool) -> LayerSpec:
    """Everything that the image's layers leave, and what its root needs besides. Raises :class:`InvalidImage`, UnsupportedPackage, OSError.

    Layers are unpacked several at once, those that are kept unpacked are lent, and all are put together in their order.
    """
    keys = [_key(ref) for ref in image.layers]
    unpacked = {} if sources.kept is None else {key: found for key in keys if (found := sources.kept.get(key)) is not None}
    for key in unpacked:
        spool.borrow(key)
    wanted = {key: (ref, f"layer {number} of {image.name}") for number, (key, ref) in enumerate(zip(keys, image.layers, strict=True), 1)}
    try:
        with ThreadPoolExecutor(sources.workers, thread_name_prefix="image") as pool:
            tasks = {
                key: pool.submit(_unpacked, ref, key, name, sources.blobs, spool)
                for key, (ref, name) in wanted.items()
                if key not in unpacked
            }
            try:
                unpacked |= {key: task.result() for key, task in tasks.items()}
            except BaseException:
                spool.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        entries = layered([unpacked[key].members for key in keys])
    except InvalidPackage as error:
        raise InvalidImage(f"{image.name}: {error.message}", path=str(error.details.get("path", ""))) from error
    return LayerSpec(entries=entries, added=fitted(entries), packages=unpacked)


def _key(layer: BlobRef) -> Digest:
    return Digest.of(canonical({"kind": "image-layer", "sha256": layer.digest}))


def received_layers(image: LockedImage, sources: Sources) -> tuple[ReceivedLayer, ...]:
    """The image's layers as they are, the lowest first, several read at once. Raises :class:`InvalidImage`, UnsupportedPackage, OSError."""
    named = [(ref, f"layer {number} of {image.name}") for number, ref in enumerate(image.layers, 1)]
    try:
        with ThreadPoolExecutor(sources.workers, thread_name_prefix="image") as pool:
            return tuple(pool.map(lambda one: _received(one[0], one[1], sources.blobs), named))
    except InvalidPackage as error:
        raise InvalidImage(f"{image.name}: {error.message}", path=str(error.details.get("path", ""))) from error


def _received(ref: BlobRef, name: str, blobs: Blobs) -> ReceivedLayer:
    found: list[Member] = []
    with _opened(ref, name, blobs) as stream, _damaged(name):
        plain = _Hashed(_plain(stream))
        for member, content in _members(cast("BinaryIO", plain), name, _as_received):
            one = member
            if content is not None:
                hasher = Hasher()
                for chunk in _chunks(content, member.path, member.size, name):
                    hasher.update(chunk)
                one = msgspec.structs.replace(member, sha256=hasher.digest())
            found.append(msgspec.structs.replace(one, source=f"{name} {len(found)}"))
        plain.drain()
    return ReceivedLayer(diff_id=plain.hasher.digest(), members=tuple(found))


class _Hashed:
    """A stream that hashes what is read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.hasher = Hasher()

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.hasher.update(data)
        return data

    def drain(self) -> None:
        """What comes after the end of an archive is part of the layer all the same."""
        while self.read(_CHUNK):
            pass


def _unpacked(ref: BlobRef, key: Digest, name: str, blobs: Blobs, spool: FileSpool) -> Package:
    """A layer as a package: its members, with the bytes of its files in the spool."""
    part = spool.part(key)
    found: list[Member] = []
    with _opened(ref, name, blobs) as stream, _damaged(name):
        for member, content in _members(_plain(stream), name, _member):
            found.append(member if content is None else _spooled(member, content, part, name))
    return Package(name=name, members=tuple(found))


def _opened(ref: BlobRef, name: str, blobs: Blobs) -> BinaryIO:
    try:
        return blobs.open(ref)
    except BlobCorrupt as error:
        raise error.naming(name) from error


@contextmanager
def _damaged(name: str) -> Iterator[None]:
    """What decompressors and tarfile say of a damaged layer, as an InvalidPackage."""
    try:
        yield
    except Exception as error:  # decompressors' errors have no common base but Exception
        if isinstance(error, tarfile.TarError | EOFError | ValueError) or type(error).__name__ == "error" or _without_number(error):
            raise InvalidPackage(f"{name} is damaged: {error}", package=name) from error
        raise


def _members(
    plain: BinaryIO, name: str, member_of: Callable[[tarfile.TarInfo, str], Member | None]
) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Every member of a layer, with a stream of a file's bytes that ends when the next is taken."""
    size = 0
    with tarfile.open(fileobj=plain, mode="r|", bufsize=1 << 18, encoding="utf-8", errors="surrogateescape") as tar:
        while (info := tar.next()) is not None:
            member = member_of(info, name)
            if member is not None:
                size += member.size
                if size > _MOST_UNPACKED:
                    raise InvalidPackage(f"{name} unpacks to more than {_MOST_UNPACKED} bytes", package=name)
                yield member, tar.extractfile(info) if info.isfile() else None
            tar.members = []  # type: ignore[attr-defined]  # what is behind us is not asked for again, and there may be very many


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


def _as_received(info: tarfile.TarInfo, layer: str) -> Member | None:
    """A member with all that a root drops in its mode; a device, pipe or socket as an empty file of such a mode."""
    member = _member(info, layer)
    if member is not None and member.kind in (Kind.FILE, Kind.DIRECTORY):
        gains = stat.S_ISUID if info.isfile() and _CAPABILITIES in info.pax_headers else 0
        return msgspec.structs.replace(member, mode=stat.S_IMODE(info.mode) | gains)
    if member is not None:
        return member
    path = member_path(info.name, layer)
    if path is None:
        return None
    odd = _TYPES.get(info.type, stat.S_IFSOCK)
    return Member(path=path, kind=Kind.FILE, mode=odd | stat.S_IMODE(info.mode), uid=info.uid, gid=info.gid)


def _spooled(member: Member, content: IO[bytes] | None, part: SpoolPart, layer: str) -> Member:
    assert content is not None
    source, hasher = part.write(_chunks(content, member.path, member.size, layer), member.mode)
    return msgspec.structs.replace(member, source=source, size=hasher.size, sha256=hasher.digest())


def _chunks(content: IO[bytes], path: RelPath, size: int, layer: str) -> Iterator[bytes]:
    left = size
    while left:
        chunk = content.read(min(left, _CHUNK))
        if not chunk:
            raise InvalidPackage(f"{layer} ends within {path}", package=layer, path=path)
        left -= len(chunk)
        yield chunk
