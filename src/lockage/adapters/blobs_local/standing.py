"""The files of blobs as they stand in the folder: found, also where a sweep put them, looked at, hashed and set aside."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lockage import durable
from lockage.adapters.blobs_local.packed import PACKED
from lockage.base.digest import Digest
from lockage.ports import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import BufferedReader

    from lockage.adapters.blobs_local.lease import Lease
    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.base.digest import BlobRef
    from lockage.packs import Pack, Place

__all__ = ["AT_ONCE", "WORD", "Files", "open_file"]

#: Up to this size a blob is read with one call.
AT_ONCE = 1 << 16
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
