"""The files of blobs as they stand in the folder: found, also where a sweep put them, looked at, hashed, set aside, and read.

Invariants: no bytes are returned that have not been hashed; a file or pack in which a blob is damaged is set aside when a read finds it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from lockage import durable
from lockage.adapters.blobs_local.packed import PACKED
from lockage.base.digest import Digest, sha256
from lockage.portable import READ
from lockage.ports import BlobCorrupt, BlobMissing, StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from io import BufferedReader

    from lockage.adapters.blobs_local.lease import Lease
    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.base.digest import BlobRef
    from lockage.packs import Pack, Place

__all__ = ["WORD", "Files", "Reader", "facts", "unsure"]

#: Up to this size a blob is read with one call.
AT_ONCE = 1 << 16
#: Up to this size `open` serves the very bytes that it hashed; a larger file is hashed and then read again.
_IN_MEMORY = 8 << 20
#: A file may be put into the trash again between being taken out and being looked at.
_LOOKS = 3
#: The numbers of a witness have 64 bits.
WORD = (1 << 64) - 1

T = TypeVar("T")


class Files:
    """The files below ``folder``; ``lease`` is this process's, ``packed`` knows those of several blobs."""

    def __init__(self, folder: Path, lease: Lease, packed: PackedBlobs) -> None:
        self._packed = packed
        self.quarantine = folder / "quarantine"
        self._folder = folder
        self._lease = lease
        self._text = str(folder / "sha256")

    def path(self, digest: Digest) -> Path:
        """See :meth:`place`."""
        return Path(self.place(digest))

    def place(self, digest: Digest) -> str:
        """The path of a blob's file; a build asks for 100,000, and an object for each would cost more than what is done with it."""
        return f"{self._text}{os.sep}{digest[:2]}{os.sep}{digest[2:]}"

    def unreadable(self, digest: Digest, error: OSError) -> StoreUnreadable:
        """What is raised where the system refuses a look."""
        cause = error.strerror or str(error)
        return StoreUnreadable(f"cannot read blob {digest} in {self._folder}: {cause}", path=str(self.path(digest)), cause=cause)

    def found(self, digest: Digest, look: Callable[[str], T]) -> T | None:
        """What a look at a blob's file gives, back from the trash if a sweep put it there; None if there is none. Raises OSError."""
        place = self.place(digest)
        for _ in range(_LOOKS):
            try:
                return look(place)
            except (FileNotFoundError, NotADirectoryError):
                if not self._lease.rescue(digest, place):
                    return None
        return None

    def stats(self, refs: Sequence[BlobRef]) -> memoryview[int]:
        """Time of change in nanoseconds and inode of each blob's file; zeros if there is none of that size.

        There may be tens of thousands in a build that does nothing else, so no object is made for any of them.
        """
        self._lease.take()
        found = _numbers(bytearray(16 * len(refs)))
        top, place, stat = f"{self._text}{os.sep}", -2, os.stat
        packed, looks = self._packed, _Looks()
        for ref in refs:
            place += 2
            digest = ref.digest
            if ref.size <= PACKED and (there := packed.known(digest)) is not None and (look := looks.of(there, ref)) is not None:
                found[place], found[place + 1] = look
                continue
            try:
                state = stat(f"{top}{digest[:2]}{os.sep}{digest[2:]}")
            except (FileNotFoundError, NotADirectoryError):
                back = self.found(digest, stat)
                if back is not None and back.st_size == ref.size:
                    found[place], found[place + 1] = back.st_mtime_ns & WORD, back.st_ino & WORD
                elif back is None and ref.size <= PACKED and (there := packed.again(digest)) is not None:
                    found[place], found[place + 1] = _Looks().of(there, ref) or (0, 0)
            except OSError as error:
                raise self.unreadable(digest, error) from error
            else:
                if state.st_size == ref.size:
                    found[place] = state.st_mtime_ns & WORD
                    found[place + 1] = state.st_ino & WORD
        return found

    def unwitnessed(self, refs: Sequence[BlobRef], seen: memoryview[int], good: memoryview[int], doubted: Sequence[int]) -> list[int]:
        """Those of the doubted that are not in a pack either that looks as it did when it was good; of these that is what was ``seen``."""
        left, looks = [], _Looks()
        for place in doubted:
            ref, at = refs[place], slice(2 * place, 2 * place + 2)
            there = self._packed.find(ref.digest) if ref.size <= PACKED and seen[2 * place + 1] else None
            if there is not None and looks.of(there, ref) == tuple(good[at]):
                seen[2 * place], seen[2 * place + 1] = good[at]
            else:
                left.append(place)
        return left

    def hashed(self, ref: BlobRef) -> tuple[int, int] | None:
        """What :meth:`stats` says of a blob that has just been hashed; None if it is not there or not whole."""
        small = ref.size <= PACKED
        try:
            found = self._packed.hashed(ref) if small and self._packed.known(ref.digest) is not None else None
            found = self._hashed_apart(ref) if found is None else found
            if found is None and small and self._packed.again(ref.digest) is not None:
                found = self._packed.hashed(ref)
        except OSError as error:
            raise self.unreadable(ref.digest, error) from error
        return None if found is None else (found[0] & WORD, found[1] & WORD)

    def _hashed_apart(self, ref: BlobRef) -> tuple[int, int] | None:
        opened = self.found(ref.digest, open_file)
        if opened is None:
            return None
        with opened as stream:
            state = os.fstat(stream.fileno())  # from before the reading: what changes while it is read is seen the next time
            small = state.st_size <= AT_ONCE  # of which there are many
            whole = (Digest.of(stream.read()) if small else Digest.of_file(stream)) == ref.digest
        if not whole:
            self.set_aside(self.path(ref.digest), state.st_ino)
            return None
        return state.st_mtime_ns, state.st_ino

    def set_aside(self, path: Path, inode: int) -> Path | None:
        """Move a damaged file to quarantine; if another process has healed it meanwhile, leave the good one."""
        aside = self.quarantine / f"{path.parent.name}{path.name}-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            durable.ensure_folder(self.quarantine)
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


def open_file(place: str) -> BufferedReader:
    """A look that opens the file. Raises OSError."""
    return open(place, "rb")  # noqa: PTH123 (read thousands of times)


def _numbers(data: bytearray) -> memoryview[int]:
    """Bytes seen as numbers of 64 bits."""
    return memoryview(data).cast("Q")


class _Looks:
    """How packs look, each looked at once."""

    def __init__(self) -> None:
        self._seen: dict[Pack, tuple[int, int] | None] = {}

    def of(self, place: Place, ref: BlobRef) -> tuple[int, int] | None:
        """What is seen of a blob's pack; None if it is not there, or the blob is of another size. Raises OSError."""
        pack, _, size = place
        if pack not in self._seen:
            look = pack.looks()
            self._seen[pack] = None if look is None else (look[0] & WORD, look[1] & WORD)
        return self._seen[pack] if size == ref.size else None


class Reader:
    """Reads the blobs in ``folder``; ``lost`` is called when one is found damaged or missing."""

    def __init__(self, folder: Path, lease: Lease, files: Files, packed: PackedBlobs, *, lost: Callable[[], None]) -> None:
        self._folder = folder
        self._lease = lease
        self._files = files
        self._packed = packed
        self._lost = lost

    def get(self, ref: BlobRef) -> bytes:
        if ref.size <= AT_ONCE:
            self._lease.take()
            with suppress(OSError):
                if ref.size <= PACKED and (place := self._packed.known(ref.digest)) is not None:
                    data = place[0].read(place[1], place[2]) or b""
                    if len(data) == ref.size and Digest.of(data) == ref.digest:
                        return data
                data = _read(self._files.place(ref.digest), ref.size)
                if len(data) == ref.size and Digest.of(data) == ref.digest:
                    return data
        with self.open(ref) as stream:  # which also says what is wrong
            return stream.read()

    def open(self, ref: BlobRef) -> BinaryIO:
        """From the pack that this process knows, else from its own file, else from any pack."""
        self._lease.take()
        stray: BlobCorrupt | None = None
        try:
            if ref.size <= PACKED and self._packed.known(ref.digest) is not None:
                data, stray = self._from_pack(ref)
                if data is not None:
                    return BytesIO(data)
            try:
                stream = self._file(ref)
            except BlobCorrupt as error:
                stream, stray = None, error
            if stream is None and ref.size <= PACKED:
                data, other = self._from_pack(ref)
                stray = stray or other
                if data is not None:
                    return BytesIO(data)
        except OSError as error:
            raise self._files.unreadable(ref.digest, error) from error
        if stream is not None:
            return stream
        if stray is not None:
            raise stray
        self._lost()
        raise BlobMissing(f"blob {ref} is not in the store {self._folder}", blob=str(ref), store=str(self._folder))

    def _file(self, ref: BlobRef) -> BinaryIO | None:
        """The blob's own file, verified; None if it has none. Raises OSError."""
        stream = self._files.found(ref.digest, open_file)
        if stream is None:
            return None
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
                path = self._files.path(ref.digest)
                self._files.set_aside(path, os.fstat(stream.fileno()).st_ino)
                self._lost()
                raise self._corrupt(ref, path, found)
        except (OSError, BlobCorrupt):
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

    def _from_pack(self, ref: BlobRef) -> tuple[bytes | None, BlobCorrupt | None]:
        data, found = self._packed.get(ref)
        if found is None:
            return data, None
        self._lost()
        return data, self._corrupt(ref, self._packed.packs.folder, found)

    def _corrupt(self, ref: BlobRef, path: Path, found: str) -> BlobCorrupt:
        return BlobCorrupt(
            f"blob {ref.digest} has other bytes in {path}: expected sha256 {ref.digest}, found {found}",
            path=str(path),
            expected=str(ref.digest),
            found=str(found),
            quarantine=str(self._files.quarantine),
        )


def _read(place: str, size: int) -> bytes:
    """What a file holds, as far as one read gives it; its end is seen if it is longer than that."""
    handle = os.open(place, READ)
    try:
        return os.read(handle, size + 1)
    finally:
        os.close(handle)


def facts(names: bytes, named: bytes, witness: bytes | None) -> memoryview[int]:
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


def unsure(refs: Sequence[BlobRef], seen: memoryview[int], good: memoryview[int], written: Mapping[str, tuple[int, int]]) -> list[int]:
    """Which files do not look as they did when they were good; what was ``written`` is good if it looks so."""
    doubted = []
    for place, ref in enumerate(refs):
        now = seen[2 * place : 2 * place + 2]
        is_there = bool(now[1])  # an absent one has no inode
        if not is_there or (now != good[2 * place : 2 * place + 2] and written.get(ref.digest) != tuple(now)):
            doubted.append(place)
    return doubted
