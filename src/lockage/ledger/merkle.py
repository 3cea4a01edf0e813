"""The Merkle tree of RFC 6962 section 2.1 with SHA-256, kept as the hashes of its complete subtrees.

A complete subtree of 2^level leaves is a node (level, index); nodes never change once made. The edge of a tree are the roots
of its largest complete subtrees, left to right: one for each bit that is set in its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import sha256
from lockage.ledger.errors import InvalidProof, LedgerCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "EMPTY_ROOT",
    "Edge",
    "Node",
    "NodeOf",
    "consistency_proof",
    "edge_nodes",
    "extend",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

Edge = tuple[bytes, ...]
#: Looks a complete subtree's hash up by level and index; None if there is none.
NodeOf = Callable[[int, int], bytes | None]

EMPTY_ROOT = sha256(b"")


class Node(msgspec.Struct, frozen=True):
    """The 32-byte hash of the complete subtree over leaves [index * 2^level, (index + 1) * 2^level)."""

    level: int
    index: int
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\0" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\1" + left + right)


def edge_nodes(size: int) -> list[tuple[int, int]]:
    """Level and index of each node of the edge of a tree of ``size`` leaves, largest first."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def extend(edge: Edge, size: int, entries: Iterable[bytes]) -> tuple[Edge, list[Node]]:
    """The edge of a tree grown by these entries, and the nodes that became complete, leaves included, in order of completion."""
    if len(edge) != size.bit_count():
        raise LedgerCorrupt(f"a tree of {size} entries has an edge of {size.bit_count()} hashes, found {len(edge)}", size=size)
    stack = list(edge)
    nodes: list[Node] = []
    for entry in entries:
        current = leaf_hash(entry)
        nodes.append(Node(0, size, current))
        level = 0
        while size >> level & 1:
            current = node_hash(stack.pop(), current)
            level += 1
            nodes.append(Node(level, size >> level, current))
        stack.append(current)
        size += 1
    return tuple(stack), nodes


def root_of(edge: Edge) -> bytes:
    """The tree's root hash (MTH)."""
    if not edge:
        return EMPTY_ROOT
    root = edge[-1]
    for left in reversed(edge[:-1]):
        root = node_hash(left, root)
    return root


def _range_root(node: NodeOf, begin: int, end: int) -> bytes:
    """MTH(D[begin:end]); ``begin`` is a multiple of the smallest power of two that is not below the width."""
    width = end - begin
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        found = node(level, begin >> level)
        if found is None:
            raise LedgerCorrupt(f"the tree has no node {begin >> level} at level {level}", level=level, index=begin >> level)
        return found
    middle = begin + (1 << ((width - 1).bit_length() - 1))
    return node_hash(_range_root(node, begin, middle), _range_root(node, middle, end))


def inclusion_proof(node: NodeOf, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf upwards. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if index < middle:
            path.append(_range_root(node, middle, end))
            end = middle
        else:
            path.append(_range_root(node, begin, middle))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(node: NodeOf, old: int, new: int) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2; empty if either tree is empty or both are equal."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} entries cannot extend one of {old}")
    if old in (0, new):
        return ()
    path: list[bytes] = []
    begin, end = 0, new
    whole = True  # whether the old tree's part so far is a subtree that the verifier knows: its own root
    while old != end:
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if old <= middle:
            path.append(_range_root(node, middle, end))
            end = middle
        else:
            path.append(_range_root(node, begin, middle))
            begin, whole = middle, False
    if not whole:
        path.append(_range_root(node, begin, end))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2; raises :class:`InvalidProof` unless the leaf hash is at ``index`` of the tree with that root."""
    if not 0 <= index < size:
        raise InvalidProof(f"the proof is of entry {index}, the tree has {size}", index=index, size=size)
    position, last, current = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise InvalidProof("the inclusion proof is too long", index=index, size=size)
        if position & 1 or position == last:
            current = node_hash(step, current)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, step)
        position, last = position >> 1, last >> 1
    if last != 0 or current != root:
        raise InvalidProof(
            f"entry {index} is not in the tree of {size} entries", index=index, size=size, expected=root.hex(), found=current.hex()
        )


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2; raises :class:`InvalidProof` unless the new tree extends the old one."""
    if not 0 <= old <= new:
        raise InvalidProof(f"a tree of {new} entries cannot extend one of {old}", old=old, new=new)
    if old in (0, new):
        if proof or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise InvalidProof(f"two trees of {new} entries differ, or the proof is too long", old=old, new=new)
        return
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not steps:
        raise InvalidProof("the consistency proof is too short", old=old, new=new)
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise InvalidProof("the consistency proof is too long", old=old, new=new)
        if position & 1 or position == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, step)
        position, last = position >> 1, last >> 1
    if last != 0 or first != old_root or second != new_root:
        raise InvalidProof(f"the tree of {new} entries does not extend the one of {old}", old=old, new=new)
