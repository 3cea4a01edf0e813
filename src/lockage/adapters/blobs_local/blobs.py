"""Blobs as files in a folder: ``sha256/ab/cdef…`` (0444), shared by many processes of one user.

``leases/`` and ``trash/`` are how a sweep and those who read stay out of each other's way.

Invariants: a file under its name is whole and durable; no method returns bytes that it has not hashed; a file whose bytes
are not its name's is moved to ``quarantine/`` when a read finds it, so that a later put heals the store.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from lockage import durable
from lockage.adapters.blobs_local.lease import Lease
from lockage.base.digest import BlobRef, Digest, Hasher, sha256
from lockage.ports import BlobCorrupt, BlobMissing, StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from io import BufferedReader

    from lockage.adapters.blobs_local.taking import Taker
    from lockage.base.instant import Instant
    from lockage.ports.storage import Audit, BlobSweep, Damage, Heard, Stream

__all__ = ["LocalBlobs"]

#: Up to this size `open` serves the very bytes that it hashed; a larger file is hashed and then read again.
_IN_MEMORY = 8 << 20
_CHUNK = 1 << 20
#: So many blobs are put one by one before threads are begun for the others.
_FEW = 64
#: Of so many blobs a process remembers that it wrote them.
_KNOWN = 1 << 16
#: A file may be put into the trash again between being taken out and being looked at.
_LOOKS = 3
#: The numbers of a witness have 64 bits.
_WORD = (1 << 64) - 1


T = TypeVar("T")


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
        self._lease = Lease(folder)
        self._shards: set[Path] = set()
        self._written: dict[Digest, tuple[int, int]] = {}

    def _path(self, digest: Digest) -> Path:
        return Path(self._place(digest))

    def _place(self, digest: Digest) -> str:
        """The path of a blob's file; a build asks for 100,000, and an object for each would cost more than what is done with it."""
        return f"{self._text}{os.sep}{digest[:2]}{os.sep}{digest[2:]}"

    def _size(self, digest: Digest) -> int | None:
        self._lease.take()
        try:
            found = self._found(digest, os.stat)
        except OSError as error:
            raise self._unreadable(digest, error) from error
        return None if found is None else found.st_size

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
        from lockage.adapters.blobs_local.batch import Batch  # a store that is only read does not need it

        refs: list[BlobRef] = []
        source = iter(items)
        with Batch(self._publish) as batch:
            present = self._presence()
            for data in islice(source, _FEW):
                ref = BlobRef.of(data)
                refs.append(ref)
                batch.add(ref, None if ref in batch or present(ref) else self._stage(data))
            if len(refs) == _FEW:
                from lockage.adapters.blobs_local.taking import put_beside  # with threads, for which a few are not enough

                refs += put_beside(source, batch, self._taker())
        return refs

    def put_streams(self, items: Iterable[Callable[[], Stream]], sizes: Iterable[int] = ()) -> list[BlobRef]:
        from lockage.adapters.blobs_local.batch import Batch
        from lockage.adapters.blobs_local.taking import taken  # with threads, which a store that is only read does not need

        with Batch(self._publish) as batch:
            return taken(items, sizes, batch, self._taker())

    def _taker(self) -> Taker:
        from lockage.adapters.blobs_local.taking import Taker

        with durable.unwritable(self._folder):
            self._spool.claim()  # before there are threads
        return Taker(self._presence(), self._begun, lambda: durable.unwritable(self._folder))

    def _presence(self) -> Callable[[BlobRef], bool]:
        """How to ask which of many blobs are present; without a look into the trash for each that is new, if nothing is there now."""
        self._lease.take()
        return self.has if self._lease.sees_trash() else self._is_present

    def _is_present(self, ref: BlobRef) -> bool:
        digest = ref.digest
        try:
            return os.stat(f"{self._text}/{digest[:2]}/{digest[2:]}").st_size == ref.size  # noqa: PTH116  # as above
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unreadable(digest, error) from error

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

    def _publish(self, staged: dict[BlobRef, durable.Staged], present: Collection[str]) -> None:
        with durable.unwritable(self._folder):
            self._ensure_shards({*present, *(ref.digest[:2] for ref in staged)})
            durable.sync_folders([self._objects / shard for shard in present])  # whoever renamed them may not have come to that yet
            if staged:
                self._spool.publish(list(staged.values()), [self._place(ref.digest) for ref in staged])
                self._know(list(staged))

    def put_soon(self, items: Iterable[bytes]) -> list[BlobRef]:
        return self.put_many(items)

    def settle(self) -> None:
        """Nothing waits here."""

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
                    self._publish({}, (ref.digest[:2],))
                    return ref
                self._ensure_shards((ref.digest[:2],))
            except BaseException:
                staged.discard()
                raise
            self._spool.publish([staged], [self._path(ref.digest)])
            self._know([ref])
        return ref

    def _know(self, refs: Sequence[BlobRef]) -> None:
        """Note how files look that were just written, so that what this process has made itself needs no hashing to be vouched for."""
        if len(self._written) + len(refs) > _KNOWN:
            self._written.clear()
        seen = self._stats(refs)
        self._written.update((ref.digest, (seen[2 * place], seen[2 * place + 1])) for place, ref in enumerate(refs[:_KNOWN]))

    def _ensure_shards(self, names: Collection[str]) -> None:
        """These folders of blobs, durable themselves: the process that made one may not have come to that yet."""
        missing = {self._objects / name for name in names} - self._shards
        if missing:
            if not self._objects.exists():
                self._begin()
            durable.ensure_folders(self._objects, sorted(missing))
            self._lease.take()
            self._shards |= missing

    # Reading

    def get(self, ref: BlobRef) -> bytes:
        with self._verified(ref) as stream:
            return stream.read()

    def open(self, ref: BlobRef) -> BinaryIO:
        return self._verified(ref)

    def _verified(self, ref: BlobRef) -> BinaryIO:
        self._lease.take()
        try:
            stream = self._found(ref.digest, _open)
        except OSError as error:
            raise self._unreadable(ref.digest, error) from error
        if stream is None:
            self._lost()
            raise BlobMissing(f"blob {ref} is not in the store {self._folder}", blob=str(ref), store=str(self._folder))
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
                path = self._path(ref.digest)
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

    def _found(self, digest: Digest, look: Callable[[str], T]) -> T | None:
        """What a look at a blob's file gives, back from the trash if a sweep put it there; None if there is none. Raises OSError."""
        place = self._place(digest)
        for _ in range(_LOOKS):
            try:
                return look(place)
            except (FileNotFoundError, NotADirectoryError):
                if not self._lease.rescue(digest, place):
                    return None
        return None

    def vouch(self, refs: Sequence[BlobRef], witness: bytes | None) -> bytes | None:
        names = bytes.fromhex("".join([ref.digest for ref in refs]))
        named = sha256(names)
        seen = self._stats(refs)
        found = named + seen.tobytes() + names
        if found == witness and 0 not in seen[1::2]:
            return witness
        good = _facts(names, named, witness)
        lost = False
        for place, ref in enumerate(refs):
            facts = seen[2 * place : 2 * place + 2]
            if not facts[1] or facts != good[2 * place : 2 * place + 2]:  # an absent one has no inode
                if witness is not None and facts[1] and self._written.get(ref.digest) == tuple(facts):
                    continue
                hashed = self._hashed(ref) if facts[1] else None
                lost = lost or hashed is None
                seen[2 * place], seen[2 * place + 1] = hashed or (0, 0)
        if not lost:
            return named + seen.tobytes() + names
        self._lost()
        return None

    def _stats(self, refs: Sequence[BlobRef]) -> memoryview[int]:
        """Time of change in nanoseconds and inode of each blob's file; zeros if there is none of that size.

        There may be tens of thousands in a build that does nothing else, so no object is made for any of them.
        """
        self._lease.take()
        found = _numbers(bytearray(16 * len(refs)))
        top, place, stat = f"{self._objects}{os.sep}", 0, os.stat
        for ref in refs:
            digest = ref.digest
            try:
                state = stat(f"{top}{digest[:2]}{os.sep}{digest[2:]}")
            except (FileNotFoundError, NotADirectoryError):
                back = self._found(digest, stat)
                if back is not None and back.st_size == ref.size:
                    found[place], found[place + 1] = back.st_mtime_ns & _WORD, back.st_ino & _WORD
            except OSError as error:
                raise self._unreadable(digest, error) from error
            else:
                if state.st_size == ref.size:
                    found[place] = state.st_mtime_ns & _WORD
                    found[place + 1] = state.st_ino & _WORD
            place += 2
        return found

    def _hashed(self, ref: BlobRef) -> tuple[int, int] | None:
        """What :meth:`_stats` says of a blob that has just been hashed; None if it is not there or not whole."""
        try:
            opened = self._found(ref.digest, _open)
            if opened is None:
                return None
            with opened as stream:
                state = os.fstat(stream.fileno())  # from before the reading: what changes while it is read is seen the next time
                whole = Digest.of_file(stream) == ref.digest
        except OSError as error:
            raise self._unreadable(ref.digest, error) from error
        if not whole:
            self._set_aside(self._path(ref.digest), state.st_ino)
            return None
        return state.st_mtime_ns & _WORD, state.st_ino & _WORD

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

    def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:
        from lockage.adapters.blobs_local.sweep import sweep  # no build needs it

        return sweep(self._folder, self._lease, needed, before, dry=dry, lost=self._lost)

    def used_since(self) -> Instant | None:
        return self._lease.others_since()

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


def _open(place: str) -> BufferedReader:
    return open(place, "rb")  # noqa: PTH123 (read thousands of times)


def _numbers(data: bytearray) -> memoryview[int]:
    """Bytes seen as numbers of 64 bits."""
    return memoryview(data).cast("Q")


def _facts(names: bytes, named: bytes, witness: bytes | None) -> memoryview[int]:
    """What a witness says of each of the named blobs; zeros for those that it does not know, and for all if it is none.

    A witness is the digest of its names, two numbers for each of them, and the names (32 bytes each).
    """
    found = _numbers(bytearray(len(names) // 2))
    count, rest = divmod(len(witness or b"") - len(named), 48)
    if witness is None or count < 0 or rest:
        return found
    known = _numbers(bytearray(witness[32 : 32 + 16 * count]))
    others = witness[32 + 16 * count :]
    if witness.startswith(named) and others == names:
        return known
    if not witness.startswith(sha256(others)):
        return found
    places = {others[32 * place : 32 * place + 32]: 2 * place for place in range(count)}
    for place in range(len(names) // 32):
        at = places.get(names[32 * place : 32 * place + 32])
        if at is not None:
            found[2 * place : 2 * place + 2] = known[at : at + 2]
    return found
