"""Files into a batch: many of which most are present are only hashed, by helpers; all others are read here, by threads that write as well.

Whether most are present is asked of a few small ones, and of all as they are answered. What a helper found not to be present, or could not
read, is read here: so nothing becomes a blob that this process has not hashed itself.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from lockage.adapters.blobs_local.taking import taken
from lockage.base.digest import BlobRef
from lockage.hashing import hashed, worthwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lockage.adapters.blobs_local.batch import Batch
    from lockage.adapters.blobs_local.taking import Taker
    from lockage.ports.storage import Stream

__all__ = ["taken_files", "whole"]

#: So many of the smallest files say whether most are present.
_ASKED = 16
#: When more than this many are absent, and more than are present, helpers do work that is done again.
_ABSENT = 512


def taken_files(
    store: bytes, top: bytes, files: Iterable[tuple[bytes, int]], opened: Callable[[bytes], Stream], batch: Batch, taker: Taker
) -> list[BlobRef]:
    """The blobs of the files, in their order. ``store`` is the folder of the blobs."""
    known: list[tuple[bytes, int]] = []
    found: dict[int, BlobRef] = {}
    size = 0

    def told() -> Iterator[tuple[bytes, int]]:
        for file in files:
            known.append(file)
            yield file

    source = told()
    for _, length in source:
        size += length
        if worthwhile(len(known), size):
            if _are_present(known, opened, batch, taker):
                found = _hashed(store, top, chain(tuple(known), source), batch)
            break
    for _ in source:
        pass  # what has not been taken yet is taken below
    rest = [place for place in range(len(known)) if place not in found] if found else range(len(known))
    refs = taken((partial(opened, known[place][0]) for place in rest), (known[place][1] for place in rest), batch, taker)
    if not found:
        return refs
    found.update(zip(rest, refs, strict=True))
    return [found[place] for place in range(len(known))]


def _are_present(known: list[tuple[bytes, int]], opened: Callable[[bytes], Stream], batch: Batch, taker: Taker) -> bool:
    """Whether most of the smallest files are present; they are taken for that."""
    few = sorted(known, key=lambda file: file[1])[:_ASKED]
    before = len(batch)
    taken((partial(opened, name) for name, _ in few), [length for _, length in few], batch, taker)
    return 2 * (len(batch) - before) < len(few)


def _hashed(store: bytes, top: bytes, files: Iterable[tuple[bytes, int]], batch: Batch) -> dict[int, BlobRef]:
    """Those that are present, by their places."""
    found: dict[int, BlobRef] = {}
    shards: set[str] = set()
    absent = 0
    with closing(hashed(top, files, store=store)) as answers:
        for place, digest, size, present in answers:
            if present and digest is not None:
                found[place] = BlobRef(digest, size)
                shards.add(digest[:2])
            else:
                absent += 1
                if absent > _ABSENT and absent > len(found):
                    break
    batch.note(shards)
    return found


def whole(store: bytes, refs: Sequence[BlobRef]) -> set[BlobRef]:
    """Which blobs of a store helpers found to have the bytes of their names; none if they are too few for helpers."""
    if not worthwhile(len(refs), sum(ref.size for ref in refs)):
        return set()
    names = ((f"{ref.digest[:2]}/{ref.digest[2:]}".encode(), ref.size) for ref in refs)
    with closing(hashed(store, names)) as answers:
        return {refs[place] for place, digest, _, _ in answers if digest == refs[place].digest}
