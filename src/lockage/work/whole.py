"""Whether what is kept is still there and whole, at the price of a look at each file: a witness spares the hashing.

Invariant: nothing counts as whole that was neither hashed nor is as the witness of its hashing says (:meth:`Blobs.vouch`). What a
result refers to is remembered beside its witness, so that a hit reads no tree; both are memos, and may vanish at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockage.record.result import ActionResult
    from lockage.work.services import Services

__all__ = ["AS_USUAL", "CacheUse", "Sample", "blobs_of_result", "blobs_of_tree", "lost_of_new", "lost_of_result", "vouched"]

_WHOLE = "whole"
_REF = 40  # the bytes of a digest and of a size


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """So many of the kept results, or so many in a hundred (rounded up); the seed chooses, if it is empty a new one."""

    seed: str
    count: int | None = None
    percent: int | None = None

    def count_of(self, kept: int) -> int:
        """How many of so many kept results."""
        return min(kept, self.count) if self.count is not None else -(-kept * (self.percent or 0) // 100)


class CacheUse(msgspec.Struct, frozen=True, kw_only=True):
    """How a build takes kept results.

    ``recheck`` hashes all of them again, ``failures`` are kept and taken like successes, and a ``sample`` is executed again.
    """

    recheck: bool = False
    failures: bool = False
    sample: Sample | None = None

    @property
    def thorough(self) -> bool:
        """Whether every kept result is to be looked at by itself: what is remembered of the plan as a whole must not answer then."""
        return self.recheck or self.sample is not None


#: Witnesses count, and failures are run again.
AS_USUAL = CacheUse()


def blobs_of_tree(tree: BlobRef, get: Callable[[BlobRef], bytes]) -> dict[BlobRef, None]:
    """A tree's own Directory messages and its files, in the order of reading. Raises what ``get`` raises, and ValueError."""
    found: dict[BlobRef, None] = {}
    waiting = [tree]
    while waiting:
        folder = waiting.pop()
        if folder in found:
            continue
        found[folder] = None
        for _, node in walk(get(folder)):
            if isinstance(node, BlobRef):
                waiting.append(node)
            elif isinstance(node, FileNode):
                found[node.blob] = None
    return found


def blobs_of_result(result: ActionResult, get: Callable[[BlobRef], bytes]) -> dict[BlobRef, None]:
    """All that a result of an action refers to. Raises what ``get`` raises, and ValueError."""
    return {result.log: None} | blobs_of_tree(result.outputs, get)


def lost_of_result(services: Services, result: ActionResult, *, recheck: bool = False) -> tuple[BlobRef, ...]:
    """What a kept result refers to and the store has no more; empty if all of it is whole. What is damaged is set aside.

    ``recheck`` hashes all of it, whatever a witness says.
    """
    key = f"{result.outputs} {result.log}"
    refs, witness = _remembered(None if recheck else services.memo.get(_WHOLE, key))
    if not refs:
        try:
            refs = list(blobs_of_result(result, services.blobs.get))
            witness = None if recheck else b""
        except (LockageError, ValueError):  # a folder of the tree is gone; what it named is not known
            absent = tuple(ref for ref in (result.log, result.outputs) if not services.blobs.has(ref))
            return absent or (result.outputs,)
    found = services.blobs.vouch(refs, witness)
    if found is None:
        return tuple(ref for ref in refs if not services.blobs.has(ref))
    if found != witness:
        services.memo.put(_WHOLE, key, _packed(refs) + found)
    return ()


def lost_of_new(services: Services, result: ActionResult) -> tuple[BlobRef, ...]:
    """What of a result that this process has just put the store has not; empty if all of it is whole.

    What was damaged in the store before it was put again is found: it was there, as nobody had written or hashed it.
    """
    blobs = services.blobs
    if not blobs.doubts:  # nearly always, where everything that a step gives is new
        return ()
    refs = list(blobs_of_result(result, blobs.get))
    return () if blobs.vouch(refs, b"") is not None else tuple(ref for ref in refs if not blobs.has(ref))


def vouched(services: Services, refs: Iterable[BlobRef], *, name: str, recheck: bool = False) -> bool:
    """Whether these blobs are there and whole; their witness is remembered under ``name``, which says which blobs they are."""
    wanted = list(refs)
    witness = None if recheck else services.memo.get(_WHOLE, name) or b""
    found = services.blobs.vouch(wanted, witness)
    if found is not None and found != witness:
        services.memo.put(_WHOLE, name, found)
    return found is not None


def _packed(refs: Sequence[BlobRef]) -> bytes:
    return len(refs).to_bytes(8, "big") + b"".join([ref.digest.raw + ref.size.to_bytes(8, "big") for ref in refs])


def _remembered(kept: bytes | None) -> tuple[list[BlobRef], bytes | None]:
    """What a result refers to and its witness, as far as a memo says; a memo that makes no sense counts for nothing."""
    if kept is None:
        return [], None
    end = 8 + _REF * int.from_bytes(kept[:8], "big")
    if len(kept) <= end:
        return [], None
    rows = [kept[at : at + _REF] for at in range(8, end, _REF)]
    return [BlobRef(Digest.from_raw(row[:32]), int.from_bytes(row[32:], "big")) for row in rows], kept[end:]
