"""Blobs as files in a folder: ``sha256/ab/cdef…`` (0444), shared by many processes of one user.

Invariants: a file under its name is whole and durable; no method returns bytes that it has not hashed; a file whose bytes
are not its name's is moved to ``quarantine/`` when a read finds it, so that a later put heals the store.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from lockage import durable
from lockage.adapters.blobs_local.batch import Batch
from lockage.base.digest import BlobRef, Digest, Hasher
from lockage.ports import BlobCorrupt, BlobMissing, StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from lockage.ports.storage import Audit, Damage, Heard

__all__ = ["LocalBlobs"]

#: Up to this size `open` serves the very bytes that it hashed; a larger file is hashed and then read again.
_IN_MEMORY = 8 << 20
_CHUNK = 1 << 20


class LocalBlobs:
    """Implements :class:`lockage.ports.Blobs`. ``lost`` is called when a read finds a blob damaged or missing.

    ``begin`` is called before the first blob of a store is written.
    """

    def __init__(self, folder: Path, *, lost: Callable[[], None] = lambda: None, begin: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._begin = begin
        self._lost = lost
        self._objects = folder / "sha256"
        self._text = str(self._objects)
        self._quarantine = folder / "quarantine"
        self._spool = durable.Spool(folder / "tmp")
        self._shards: set[Path] = set()

    def _path(self, digest: Digest) -> Path:
        return self._objects / digest[:2] / digest[2:]

    def _size(self, digest: Digest) -> int | None:
        try:
            return os.stat(f"{self._text}/{digest[:2]}/{digest[2:]}").st_size  # noqa: PTH116  # asked 100,000 times in a row
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(digest, error) from error

    def _unreadable(self, digest: Digest, error: OSError) -> StoreUnreadable:
        cause = error.strerror or str(error)
        return StoreUnreadable(f"cannot read blob {digest} in {self._folder}: {cause}", path=str(self._path(digest)), cause=cause)

    def has(self, ref: BlobRef) -> bool:
        return self._size(ref.digest) == ref.size

    def locate(self, digest: Digest) -> BlobRef | None:
        size = self._size(digest)
        return None if size is None else BlobRef(digest, size)

    # Writing

    def put(self, data: bytes) -> BlobRef:
        return self.put_many((data,))[0]

    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        refs: list[BlobRef] = []
        with Batch(self._publish) as batch:
            for data in items:
                ref = BlobRef.of(data)
                refs.append(ref)
                batch.add(ref, None if ref in batch or self.has(ref) else self._stage(data))
        return refs

    def put_streams(self, items: Iterable[Callable[[], BinaryIO]]) -> list[BlobRef]:
        from lockage.adapters.blobs_local.taking import taken  # with threads, which a store that is only read does not need

        with Batch(self._publish) as batch:
            with durable.unwritable(self._folder):
                self._spool.claim()
            return taken(items, batch, has=self.has, stage=self._begun, writing=lambda: durable.unwritable(self._folder))

    def _begun(self) -> durable.Staged:
        durable.reached("before-stage")
        return self._spool.stage()

    def _stage(self, data: bytes) -> durable.Staged:
        with durable.unwritable(self._folder):
            staged = self._begun()
            try:
                staged.write(data)
                staged.finish(0o444)
            except BaseException:
                staged.discard()
                raise
        return staged

    def _publish(self, staged: dict[BlobRef, durable.Staged], present: Collection[BlobRef]) -> None:
        with durable.unwritable(self._folder):
            self._ensure_shards((*staged, *present))
            durable.sync_folders(self._shards_of(present))  # whoever renamed them may not have come to that yet
            if staged:
                self._spool.publish(list(staged.values()), [self._path(ref.digest) for ref in staged])

    def put_stream(self, stream: BinaryIO) -> BlobRef:
        hasher = Hasher()
        with durable.unwritable(self._folder):
            staged = self._spool.stage()
            try:
                while chunk := stream.read(_CHUNK):
                    hasher.update(chunk)
                    staged.write(chunk)
                ref = hasher.ref()
                if self.has(ref):
                    staged.discard()
                    self._publish({}, (ref,))
                    return ref
                self._ensure_shards((ref,))
            except BaseException:
                staged.discard()
                raise
            self._spool.publish([staged], [self._path(ref.digest)])
        return ref

    def _shards_of(self, refs: Iterable[BlobRef]) -> list[Path]:
        return [self._objects / name for name in sorted({ref.digest[:2] for ref in refs})]

    def _ensure_shards(self, refs: Iterable[BlobRef]) -> None:
        """The folders of these blobs, durable themselves: the process that made one may not have come to that yet."""
        missing = set(self._shards_of(refs)) - self._shards
        if missing:
            if not self._objects.exists():
                self._begin()
            durable.ensure_folders(self._objects, sorted(missing))
            self._shards |= missing

    # Reading

    def get(self, ref: BlobRef) -> bytes:
        with self._verified(ref) as stream:
            return stream.read()

    def open(self, ref: BlobRef) -> BinaryIO:
        return self._verified(ref)

    def _verified(self, ref: BlobRef) -> BinaryIO:
        path = self._path(ref.digest)
        try:
            stream = path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            self._lost()
            raise BlobMissing(f"blob {ref} is not in the store {self._folder}", blob=str(ref), store=str(self._folder)) from None
        except OSError as error:
            raise self._unreadable(ref.digest, error) from error
        try:
            if os.fstat(stream.fileno()).st_size <= _IN_MEMORY:
                data = stream.read()
                found, size = Digest.of(data), len(data)
                verified: BinaryIO = BytesIO(data)
            else:
                found, size = Digest.of_file(stream), stream.tell()
                stream.seek(0)
                verified = stream
            if found != ref.digest:
                self._set_aside(path, os.fstat(stream.fileno()).st_ino)
                self._lost()
                raise BlobCorrupt(
                    f"blob {ref.digest} has other bytes in {path}: expected sha256 {ref.digest}, found {found}",
                    path=str(path),
                    expected=str(ref.digest),
                    found=str(found),
                    quarantine=str(self._quarantine),
                )
        except OSError as error:
            stream.close()
            raise self._unreadable(ref.digest, error) from error
        except BlobCorrupt:
            stream.close()
            raise
        if verified is not stream:
            stream.close()
        if size != ref.size:
            verified.close()
            raise BlobMissing(
                f"blob {ref} is not in the store: {ref.digest} has {size} bytes", blob=str(ref), expected=ref.size, found=size
            )
        return verified

    def audit(self, heard: Heard) -> Audit:
        from concurrent.futures import ThreadPoolExecutor  # hashing lets go of the interpreter, so that threads do it side by side

        from lockage.ports.storage import Audit  # no build needs it

        files = [path for shard in self._entries(self._objects) for path in self._entries(shard)]
        size, damaged = 0, []
        pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="audit")
        try:
            for read, found in pool.map(self._examine, files):
                size += read
                heard(read)
                if found is not None:
                    damaged.append(found)
        finally:
            pool.shutdown(cancel_futures=True)
        if damaged:
            self._lost()
        return Audit(count=len(files), size=size, damaged=tuple(damaged))

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreUnreadable(f"cannot read {folder}: {error.strerror}", path=str(folder)) from error

    def _examine(self, path: Path) -> tuple[int, Damage | None]:
        """How many bytes a file has, and what is wrong with it."""
        name = path.parent.name + path.name
        try:
            with path.open("rb") as stream:
                found, size, inode = Digest.of_file(stream), stream.tell(), os.fstat(stream.fileno()).st_ino
        except FileNotFoundError:
            return 0, None  # a process that reads found it damaged, and was quicker
        except OSError as error:
            from lockage.ports.storage import Damage

            return 0, Damage(name=name, what=f"cannot be read: {error.strerror or error}")
        if found == name:
            return size, None
        from lockage.ports.storage import Damage

        aside = self._set_aside(path, inode)
        return size, Damage(name=name, what=f"has sha256 {found}", aside=None if aside is None else str(aside))

    def _set_aside(self, path: Path, inode: int) -> Path | None:
        """Move a damaged file to quarantine; if another process has healed it meanwhile, leave the good one."""
        aside = self._quarantine / f"{path.parent.name}{path.name}-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            durable.ensure_folder(self._quarantine)
            path.rename(aside)
            if aside.stat().st_ino != inode:
                with suppress(FileExistsError):
                    path.hardlink_to(aside)
                aside.unlink()
                return None
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT):
                raise
            return None
        return aside
