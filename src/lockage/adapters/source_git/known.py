"""What earlier imports of a repository left: which blobs git's objects became, in one piece for a repository.

Invariants: an object's id says its bytes, so that what it became never changes; a blob that has the form of a Git LFS pointer, a link
and a tree with one of them or with a submodule below it are not kept, as more than their bytes decides what they become. An entry saves
reading: whoever uses one asks the blobs first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockage.base.path import RelPath
    from lockage.ports import Blobs, Memo

__all__ = ["Known", "read_known", "write_known"]

#: A collection that has grown to so many times what it was begun with is mostly history, and is begun anew.
_GROWTH = 3
_LEAST = 10_000

_Ref = tuple[bytes, int]


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    begun: int
    blobs: dict[bytes, _Ref]
    trees: dict[bytes, _Ref]


class Known:
    """Blobs and Directory messages by the ids of git's blobs and trees. Only what the blobs hold is handed out."""

    def __init__(self, blobs: Blobs, kept: _Kept | None = None) -> None:
        self._blobs = blobs
        self._kept = kept or _Kept(0, {}, {})
        self.added = False

    def blob(self, oid: str) -> BlobRef | None:
        return self._present(self._kept.blobs.get(bytes.fromhex(oid)))

    def tree(self, oid: str) -> BlobRef | None:
        return self._present(self._kept.trees.get(bytes.fromhex(oid)))

    def _present(self, found: _Ref | None) -> BlobRef | None:
        if found is None:
            return None
        ref = BlobRef(Digest.from_raw(found[0]), found[1])
        return ref if self._blobs.has(ref) else None

    def add(self, blobs: Mapping[str, BlobRef], trees: Mapping[str, BlobRef]) -> None:
        """What an import has made of objects."""
        for kept, found in ((self._kept.blobs, blobs), (self._kept.trees, trees)):
            for oid, ref in found.items():
                kept[bytes.fromhex(oid)] = (ref.digest.raw, ref.size)
                self.added = True

    @property
    def kept(self) -> _Kept:
        """What is to be kept of it."""
        size = len(self._kept.blobs) + len(self._kept.trees)
        return msgspec.structs.replace(self._kept, begun=self._kept.begun or size)


def read_known(memo: Memo, kind: str, blobs: Blobs, at: Path, path: RelPath | None) -> Known:
    """What is known of a directory of a repository; nothing if that cannot be read or is mostly of old commits."""
    found = memo.get(kind, _key(at, path))
    try:
        kept = None if found is None else msgspec.msgpack.decode(found, type=_Kept)
    except msgspec.MsgspecError:
        kept = None  # a memo counts for nothing
    if kept is not None and len(kept.blobs) + len(kept.trees) > max(_LEAST, _GROWTH * kept.begun):
        kept = None
    return Known(blobs, kept)


def write_known(memo: Memo, kind: str, at: Path, path: RelPath | None, known: Known) -> None:
    """Keep it if anything was added."""
    if known.added:
        memo.put(kind, _key(at, path), msgspec.msgpack.encode(known.kept))


def _key(at: Path, path: RelPath | None) -> str:
    return os.fsencode(at).decode("utf-8", "backslashreplace") + f"\0{path or ''}"
