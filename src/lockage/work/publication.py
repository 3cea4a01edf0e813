"""Examine what a build delivered: would an index take it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import Digest
from lockage.record.publication import EXAMINATION, Examined, examine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.digest import BlobRef
    from lockage.work.services import Services

__all__ = ["examine_all"]

_MEMO = "examined"


def examine_all(services: Services, artifacts: Iterable[tuple[str, BlobRef]]) -> tuple[Examined, ...]:
    """What is found of every artifact (name and blob), in their order; remembered by name and bytes."""
    return tuple(_examined(services, name, blob) for name, blob in artifacts)


def _examined(services: Services, name: str, blob: BlobRef) -> Examined:
    key = Digest.of(f"{EXAMINATION} {blob.digest} {name}".encode())
    kept = services.memo.get(_MEMO, key)
    try:
        if kept is not None:
            return decode(kept, Examined)
    except InvalidDocument:
        pass  # another lockage wrote it; a memo counts for nothing
    found = examine(name, services.blobs.get(blob))
    services.memo.put(_MEMO, key, canonical_of(found))
    return found
