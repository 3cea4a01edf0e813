"""What a witness says: what files of blobs looked like when they were good, in one piece of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.base.digest import BlobRef

__all__ = ["facts", "numbers", "unsure"]


def numbers(data: bytearray) -> memoryview[int]:
    """Bytes seen as numbers of 64 bits."""
    return memoryview(data).cast("Q")


def facts(names: bytes, named: bytes, witness: bytes | None) -> memoryview[int]:
    """What a witness says of each of the named blobs; zeros for those that it does not know, and for all if it is none.

    A witness is the digest of its names, two numbers for each of them, and the names (32 bytes each).
    """
    found = numbers(bytearray(len(names) // 2))
    count, rest = divmod(len(witness or b"") - len(named), 48)
    if witness is None or count < 0 or rest:
        return found
    known = numbers(bytearray(witness[32 : 32 + 16 * count]))
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
