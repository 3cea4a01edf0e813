"""Blobs as files in a folder: ``sha256/ab/cdef…`` (0444), and small ones together in ``packs/``, shared by many processes of one user.

``leases/`` and ``trash/`` are how a sweep and those who read stay out of each other's way.

Invariants: a file under its name is whole and durable; no method returns bytes that it has not hashed; a file whose bytes
are not its name's is moved to ``quarantine/`` when a read finds it, so that a later put heals the store.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from lockage import durable
from lockage.adapters.blobs_local.lease import Lease
from lockage.adapters.blobs_local.packed import PACKED, PackedBlobs, is_whole
from lockage.adapters.blobs_local.standing import WORD, Files, Reader, facts, unsure
from lockage.base.digest import BlobRef, Digest, Hasher, sha256
from lockage.ports import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from lockage.adapters.blobs_local.taking import Taker
    from lockage.base.instant import Instant
    from lockage.ports.storage import Audit, BlobSweep, Heard, Stream

__all__ = ["LocalBlobs"]

_CHUNK = 1 << 20
#: So many blobs are put one by one before threads are begun for the others.
_FEW = 512
#: Of so many blobs a process remembers how they looked when it wrote or hashed them.
_KNOWN = 1 << 16


class LocalBlobs:
    """Implements :class:`lockage.ports.Blobs`. ``lost`` is called when a read finds a blob damaged or missing.

    ``begin`` is called before the first blob of a store is written.
    """

    def __init__(self, folder: Path, *, lost: Callable[[], None] = lambda: None, begin: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._begin = begin
        self._lost = lost
        self._objects = folder / "sha256"
        self._spool = durable.Spool(folder / "tmp")
        self._lease = Lease(folder)
        self._packed = PackedBlobs(folder, self._spool, lost=lost, begin=begin)
        self._files = Files(folder, self._lease, self._packed)
        self.packs = self._packed.packs
        self._reader = Reader(folder, self._lease, self._files, self._packed, lost=lost)
        self._shards: set[str] = set()
        self._good: dict[str, tuple[int, int]] = {}
        #: Whether a pack was written here since they were last put together.
        self._packing = False

    def _path(self, digest: Digest) -> Path:
        return self._files.path(digest)

    def _size(self, digest: Digest, *, packed: bool) -> int | None:
        self._lease.take()
        try:
            place = self._packed.there(digest) if packed else None
            if place is not None:
                return place[2]
            found = self._files.found(digest, os.stat)
            if found is None and packed:
                place = self._packed.again(digest)
                return None if place is None else place[2]
        except OSError as error:
            raise self._files.unreadable(digest, error) from error
        return None if found is None else found.st_size

    def has(self, ref: BlobRef) -> bool:
        return self._size(ref.digest, packed=ref.size <= PACKED) == ref.size

    def recognises(self, ref: BlobRef) -> bool | None:
        self._lease.take()
        good = self._good.get(ref.digest)
        if good is None and ref.size <= PACKED:
            return False
        if good is not None and ref.size <= PACKED and (packed := self._recognises_packed(ref, good)) is not None:
            return packed or None
        place = self._files.place(ref.digest)
        if good is None:
            return None if os.access(place, os.F_OK) else False  # no exception for what is nearly always so
        try:
            state = os.stat(place)  # noqa: PTH116  # as above
        except OSError:
            return False
        return True if state.st_size == ref.size and good == (state.st_mtime_ns & WORD, state.st_ino & WORD) else None

    def _recognises_packed(self, ref: BlobRef, good: tuple[int, int]) -> bool | None:
        """Whether the pack of a small blob looks as it did when it was good; None if it is in none."""
        with suppress(OSError):
            place = self._packed.known(ref.digest)
            return None if place is None else place[2] == ref.size and _facts(place[0].looks()) == good
        return False

    def locate(self, digest: Digest) -> BlobRef | None:
        size = self._size(digest, packed=True)
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

                refs += put_beside(source, batch, self._taker(present))
        return refs

    def put_streams(self, items: Iterable[Callable[[], Stream]], sizes: Iterable[int] = ()) -> list[BlobRef]:
        from lockage.adapters.blobs_local.batch import Batch
        from lockage.adapters.blobs_local.taking import taken  # with threads, which a store that is only read does not need

        with Batch(self._publish) as batch:
            return taken(items, sizes, batch, self._taker(self._presence()))

    def put_files(self, top: bytes, files: Iterable[tuple[bytes, int]], opened: Callable[[bytes], Stream]) -> list[BlobRef]:
        from lockage.adapters.blobs_local.batch import Batch
        from lockage.adapters.blobs_local.files import taken_files  # as above

        with Batch(self._publish) as batch:
            return taken_files(os.fsencode(self._objects), top, files, opened, batch, self._taker(self._presence()))

    def _taker(self, present: Callable[[BlobRef], bool]) -> Taker:
        from lockage.adapters.blobs_local.taking import Taker

        writable = False
        with suppress(OSError):  # a store that cannot be written is told when something is new, as nothing may be
            self._spool.claim()  # before there are threads
            writable = True
        return Taker(present, self._begun, lambda: durable.unwritable(self._folder), look_first=not writable)

    def _presence(self) -> Callable[[BlobRef], bool]:
        """How to ask which of many blobs are present; without a look into the trash for each that is new, if nothing is there now."""
        self._lease.take()
        trash = self._lease.sees_trash()
        return lambda ref: self._is_present(ref, trash=trash)

    def _is_present(self, ref: BlobRef, *, trash: bool) -> bool:
        place = self._files.place(ref.digest)
        if not trash and not os.access(place, os.F_OK):  # most are new, and an exception for each costs more than the look
            return False
        try:
            found = self._files.found(ref.digest, os.stat) if trash else os.stat(place)  # noqa: PTH116  # as above
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._files.unreadable(ref.digest, error) from error
        return found is not None and found.st_size == ref.size

    def _begun(self) -> durable.Staged:
        durable.reached("before-stage")
        return self._spool.stage(0o444)

    def _stage(self, data: bytes) -> durable.Staged:
        staged: durable.Staged | None = None
        try:
            staged = self._begun()
            staged.write(data)
            staged.finish(0o444)
        except BaseException as error:
            if staged is not None:
                staged.discard()
            if isinstance(error, OSError):
                raise durable.refusal(self._folder, error) from error
            raise
        return staged

    def _publish(self, staged: dict[BlobRef, durable.Staged], present: Collection[str]) -> None:
        with durable.unwritable(self._folder):
            self._ensure_shards({*present, *(ref.digest[:2] for ref in staged)})
            # Whoever renamed what is present may not have come to that yet.
            durable.sync_folders([f"{self._objects}{os.sep}{shard}" for shard in present])
            if staged:
                self._spool.publish(list(staged.values()), [self._files.place(ref.digest) for ref in staged])
                self._know({ref.digest: one.facts for ref, one in staged.items()})

    def put_soon(self, items: Iterable[bytes]) -> list[BlobRef]:
        return self.put_many(items)

    def put_messages(self, messages: Mapping[BlobRef, bytes], *, doubting: bool = False) -> None:
        del doubting  # see doubts
        self._lease.take()
        large = self._put_packed(messages)
        if large:
            self._put_apart(large)

    def _put_packed(self, messages: Mapping[BlobRef, bytes]) -> dict[BlobRef, bytes]:
        """Write what is small in one pack, and give back what is not. No look is taken for what this process does not know to be there.

        So what is damaged somewhere is whole after it was put once more: of two copies the later one counts.
        """
        large: dict[BlobRef, bytes] = {}
        small: dict[str, bytes] = {}
        known = False
        for ref, data in messages.items():
            if ref.size > PACKED:
                large[ref] = data
            elif (good := self._good.get(ref.digest)) is not None and self._recognises_packed(ref, good):
                known = True
            else:
                small[ref.digest] = data
        with durable.unwritable(self._folder):
            if small:
                pack = self._packed.add(small)
                self._lease.take()  # which it could not before there was a folder
                self._packing = True
                self._know_all(small, pack.facts)
            elif known:
                durable.sync_folder(self.packs.folder)  # whoever renamed what is there may not have come to that yet
        return large

    def _put_apart(self, messages: Mapping[BlobRef, bytes]) -> None:
        present: set[str] = set()
        staged: dict[BlobRef, durable.Staged] = {}
        trash = self._lease.sees_trash()
        try:
            for ref, data in messages.items():
                if self._is_present(ref, trash=trash):
                    present.add(ref.digest[:2])
                else:
                    staged[ref] = self._stage(data)
            self._publish(staged, present)
        except BaseException:
            for one in staged.values():
                one.discard()
            raise

    @property
    def doubts(self) -> bool:
        return True  # what is there is taken for whole when it is put

    def settle(self) -> None:
        """Nothing waits here; but packs that were written may be put together."""
        if not self._packing:
            return
        self._packing = False
        from lockage.packs.mending import tidy  # only those who wrote need it

        with suppress(OSError, StoreUnwritable):  # everything is kept as it is
            for pack in tidy(self.packs, self._folder, lambda _, __: True, is_whole):
                self._know_all([name for name in pack.table.texts() if name in self._good], pack.facts)  # which were hashed

    def put_stream(self, stream: BinaryIO) -> BlobRef:
        hasher = Hasher()
        with durable.unwritable(self._folder):
            staged = self._spool.stage(0o444)
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
            self._know({ref.digest: staged.facts})
        return ref

    def _know(self, good: dict[Digest, tuple[int, int]]) -> None:
        """Note how files look that were just written or hashed, so that they need not be hashed to be vouched for."""
        if len(self._good) + len(good) > _KNOWN:
            self._good.clear()
        for digest, looks in islice(good.items(), _KNOWN):
            self._good[digest] = _facts(looks)

    def _know_all(self, digests: Collection[str], facts: tuple[int, int]) -> None:
        """As :meth:`_know` of blobs of one pack."""
        if len(self._good) + len(digests) > _KNOWN:
            self._good.clear()
        self._good.update(dict.fromkeys(islice(digests, _KNOWN), _facts(facts)))

    def _ensure_shards(self, names: Collection[str]) -> None:
        """These folders of blobs, durable themselves: the process that made one may not have come to that yet."""
        missing = set(names) - self._shards
        if missing:
            if not self._objects.exists():
                self._begin()
            durable.ensure_folders(self._objects, [self._objects / name for name in sorted(missing)])
            self._lease.take()
            self._shards |= missing

    # Reading

    def get(self, ref: BlobRef) -> bytes:
        return self._reader.get(ref)

    def open(self, ref: BlobRef) -> BinaryIO:
        return self._reader.open(ref)

    def vouch(self, refs: Sequence[BlobRef], witness: bytes | None) -> bytes | None:
        names = bytes.fromhex("".join([ref.digest for ref in refs]))
        named = sha256(names)
        seen = self._files.stats(refs)
        found = named + seen.tobytes() + names
        if found == witness and 0 not in seen[1::2]:
            return witness

        good = {} if witness is None else self._good  # what this process wrote or hashed is good as it looked then
        known = facts(names, named, witness)
        doubted = self._files.unwitnessed(refs, seen, known, unsure(refs, seen, known, good))
        if not doubted:
            return named + seen.tobytes() + names
        whole = self._whole([(refs[place], seen[2 * place + 1]) for place in doubted])
        lost = False
        for place in doubted:
            if refs[place] not in whole:
                hashed = self._files.hashed(refs[place]) if seen[2 * place + 1] else None
                seen[2 * place], seen[2 * place + 1] = hashed or (0, 0)
                if hashed is None:
                    lost = True
                else:
                    self._know({refs[place].digest: hashed})
        if not lost:
            return named + seen.tobytes() + names
        self._lost()
        return None

    def _whole(self, files: list[tuple[BlobRef, int]]) -> Collection[BlobRef]:
        """Those that helpers found to be whole, each with its inode if it is there; none if there are few.

        What was seen of them before stands: what has been changed between that look and the hashing is seen the next time.
        """
        good = self._packed.whole((ref, inode) for ref, inode in files if inode and ref.size <= PACKED)
        left = [ref for ref, inode in files if inode and ref not in good]
        if len(left) < _FEW:
            return good
        from lockage.adapters.blobs_local.files import whole  # no build needs it that finds everything as it was

        return good | whole(os.fsencode(self._objects), left)

    def audit(self, heard: Heard) -> Audit:
        from lockage.adapters.blobs_local.audit import audit  # no build needs it

        found = audit(self._objects, self._packed, self._files.set_aside, heard)
        if found.damaged:
            self._lost()
        return found

    def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:
        from lockage.adapters.blobs_local.sweep import sweep  # no build needs it

        return sweep(self._folder, self._lease, self._packed, needed, before, dry=dry, lost=self._lost)

    def used_since(self) -> Instant | None:
        return self._lease.others_since()


def _facts(found: tuple[int, int] | None) -> tuple[int, int]:
    """Time of change and inode as a witness has them."""
    return (0, 0) if found is None else (found[0] & WORD, found[1] & WORD)
