"""Blobs, action cache and memo in dictionaries."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from lockage.base.digest import BlobRef, Digest
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.ports.storage import Audit, BlobSweep, Damage, Swept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from lockage.base.instant import Instant
    from lockage.ports.storage import Heard, Stream
    from lockage.record.result import ActionResult

__all__ = ["MemoryActionCache", "MemoryBlobs", "MemoryMemo"]


class MemoryBlobs:
    """Implements :class:`lockage.ports.Blobs`. ``data`` may be damaged by a test."""

    def __init__(self) -> None:
        #: What :meth:`used_since` says; a test may set it.
        self.used: Instant | None = None
        self.data: dict[Digest, bytes] = {}

    def put(self, data: bytes) -> BlobRef:
        ref = BlobRef.of(data)
        if not self.has(ref):
            self.data[ref.digest] = bytes(data)
        return ref

    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        return [self.put(data) for data in items]

    def put_soon(self, items: Iterable[bytes]) -> list[BlobRef]:
        return self.put_many(items)

    def put_messages(self, messages: Mapping[BlobRef, bytes], *, doubting: bool = False) -> None:
        del doubting  # see doubts
        self.put_many(messages.values())

    @property
    def doubts(self) -> bool:
        return True  # what is there is taken for whole when it is put

    def settle(self) -> None:
        """Nothing waits here."""

    def put_stream(self, stream: BinaryIO) -> BlobRef:
        return self.put(stream.read())

    def put_streams(self, items: Iterable[Callable[[], Stream]], sizes: Iterable[int] = ()) -> list[BlobRef]:
        del sizes  # nothing here takes its time
        refs = []
        for opened in items:
            with opened() as stream:
                refs.append(self.put(stream.read()))
        return refs

    def put_files(self, top: bytes, files: Iterable[tuple[bytes, int]], opened: Callable[[bytes], Stream]) -> list[BlobRef]:
        del top
        return self.put_streams(partial(opened, name) for name, _ in files)

    def get(self, ref: BlobRef) -> bytes:
        data = self.data.get(ref.digest)
        if data is None:
            raise BlobMissing(f"blob {ref} is not in the store", blob=str(ref))
        found = Digest.of(data)
        if found != ref.digest:
            del self.data[ref.digest]
            raise BlobCorrupt(f"blob {ref.digest} has other bytes: found {found}", expected=str(ref.digest), found=str(found))
        if len(data) != ref.size:
            raise BlobMissing(f"blob {ref} is not in the store: it has {len(data)} bytes", expected=ref.size, found=len(data))
        return data

    def open(self, ref: BlobRef) -> BinaryIO:
        return BytesIO(self.get(ref))

    def has(self, ref: BlobRef) -> bool:
        return self.locate(ref.digest) == ref

    def recognises(self, ref: BlobRef) -> bool | None:
        if not self.has(ref):
            return False
        return True if Digest.of(self.data[ref.digest]) == ref.digest else None

    def locate(self, digest: Digest) -> BlobRef | None:
        data = self.data.get(digest)
        return None if data is None else BlobRef(digest, len(data))

    def vouch(self, refs: Sequence[BlobRef], witness: bytes | None) -> bytes | None:  # noqa: ARG002  # a dictionary has no times to compare
        if [ref for ref in refs if not self._whole(ref)]:  # every one is looked at, so that all damage is found
            return None
        return Digest.of("".join(ref.digest for ref in refs).encode()).raw

    def _whole(self, ref: BlobRef) -> bool:
        try:
            self.get(ref)
        except (BlobCorrupt, BlobMissing):
            return False
        return True

    def audit(self, heard: Heard) -> Audit:
        size, damaged = 0, []
        for digest, data in list(self.data.items()):
            size += len(data)
            heard(len(data))
            if Digest.of(data) != digest:
                del self.data[digest]
                damaged.append(Damage(name=digest, what=f"has sha256 {Digest.of(data)}", aside="nowhere"))
        return Audit(count=len(self.data) + len(damaged), size=size, damaged=tuple(damaged))

    def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:  # noqa: ARG002 (what is in memory has no age)
        wanted = needed()
        gone = [digest for digest in self.data if digest not in wanted]
        size = sum(len(self.data[digest]) for digest in gone)
        for digest in gone if not dry else ():
            del self.data[digest]
        return BlobSweep(gone=Swept(count=len(gone), size=size))

    def used_since(self) -> Instant | None:
        return self.used


class MemoryActionCache:
    """Implements :class:`lockage.ports.ActionCache`."""

    def __init__(self) -> None:
        self.results: dict[BlobRef, ActionResult] = {}

    def get(self, action: BlobRef) -> ActionResult | None:
        return self.results.get(action)

    def holds(self, actions: Sequence[BlobRef]) -> bool:
        return all(action in self.results for action in actions)

    def put(self, action: BlobRef, result: ActionResult) -> None:
        self.results[action] = result

    def put_many(self, results: Iterable[tuple[BlobRef, ActionResult]]) -> None:
        self.results.update(results)

    def put_soon(self, action: BlobRef, result: ActionResult) -> None:
        self.put(action, result)

    def settle(self) -> None:
        """Nothing waits here."""

    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        return iter(list(self.results.items()))

    def audit(self, heard: Heard) -> Audit:
        heard(0)
        return Audit(count=len(self.results), size=0)

    def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:  # noqa: ARG002 (what is in memory has no age)
        gone = [action for action in self.results if action not in needed]
        for action in gone if not dry else ():
            del self.results[action]
        return dict.fromkeys(gone, 0)


class MemoryMemo:
    """Implements :class:`lockage.ports.Memo`."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}

    def get(self, kind: str, key: str) -> bytes | None:
        return self.values.get((kind, key))

    def put(self, kind: str, key: str, value: bytes) -> None:
        self.values[kind, key] = bytes(value)

    def sweep(self, before: Instant, *, dry: bool = False) -> Swept:  # noqa: ARG002 (what is in memory has no age)
        found = Swept(count=len(self.values), size=sum(map(len, self.values.values())))
        if not dry:
            self.values.clear()
        return found
