"""The tree against the test vectors of RFC 6962's reference implementation and against the definition, written out again here."""

import hashlib
import json
from pathlib import Path

import pytest

from lockage.ledger.errors import InvalidProof, LedgerCorrupt
from lockage.ledger.merkle import (
    EMPTY_ROOT,
    Edge,
    NodeOf,
    consistency_proof,
    edge_nodes,
    extend,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[2] / "golden" / "ledger" / "rfc6962.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH(D[n]) as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def defined_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) as section 2.1.1 defines it."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_subproof(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) as section 2.1.2 defines it."""
    if m == len(leaves):
        return [] if known else [defined_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*defined_subproof(m, leaves[:k], known), defined_root(leaves[k:])]
    return [*defined_subproof(m - k, leaves[k:], False), defined_root(leaves[:k])]


def tree(leaves: list[bytes]) -> tuple[Edge, NodeOf]:
    edge, nodes = extend((), 0, leaves)
    known = {(node.level, node.index): node.hash for node in nodes}
    return edge, lambda level, index: known.get((level, index))


@pytest.mark.parametrize("size", range(9))
def test_reference_roots(size: int) -> None:
    assert root_of(extend((), 0, LEAVES[:size])[0]) == ROOTS[size]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: f"{vector['index']}-of-{vector['size']}")
def test_reference_inclusion_proofs(vector: dict[str, object]) -> None:
    index, size = vector["index"], vector["size"]
    assert isinstance(index, int)
    assert isinstance(size, int)
    proof = inclusion_proof(tree(LEAVES[:size])[1], index, size)
    assert [step.hex() for step in proof] == vector["proof"]
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, ROOTS[size])


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: f"{vector['old']}-to-{vector['new']}")
def test_reference_consistency_proofs(vector: dict[str, object]) -> None:
    old, new = vector["old"], vector["new"]
    assert isinstance(old, int)
    assert isinstance(new, int)
    proof = consistency_proof(tree(LEAVES[:new])[1], old, new)
    assert [step.hex() for step in proof] == vector["proof"]
    verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)


def test_every_small_tree_is_as_defined() -> None:
    leaves = [b"%d" % n for n in range(33)]
    roots = [defined_root(leaves[:n]) for n in range(34)]
    for size in range(34):
        edge, node = tree(leaves[:size])
        assert root_of(edge) == roots[size]
        assert edge == tuple(node(level, index) for level, index in edge_nodes(size))
        for index in range(size):
            path = inclusion_proof(node, index, size)
            assert list(path) == defined_path(index, leaves[:size])
            verify_inclusion(leaf_hash(leaves[index]), index, size, path, roots[size])
        for old in range(1, size):
            proof = consistency_proof(node, old, size)
            assert list(proof) == defined_subproof(old, leaves[:size], True)
            verify_consistency(old, roots[old], size, roots[size], proof)


def test_a_proof_is_of_one_place_only() -> None:
    leaves = [b"%d" % n for n in range(11)]
    edge, node = tree(leaves)
    root = root_of(edge)
    path = inclusion_proof(node, 6, 11)
    for index, size, steps in (
        (5, 11, path),
        (7, 11, path),
        (6, 11, path[:-1]),
        (6, 11, (*path, path[0])),
        (11, 11, path),
        (-1, 11, path),
    ):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaf_hash(leaves[6]), index, size, steps, root)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf_hash(b"other"), 6, 11, path, root)


def test_a_rewritten_tree_is_not_consistent() -> None:
    leaves = [b"%d" % n for n in range(11)]
    old_root = defined_root(leaves[:6])
    _, node = tree(leaves)
    proof = consistency_proof(node, 6, 11)
    good = defined_root(leaves)
    for old, first, new, second, steps in (
        (6, defined_root([*leaves[:5], b"x"]), 11, good, proof),
        (6, old_root, 11, defined_root([b"x", *leaves[1:]]), proof),
        (6, old_root, 11, good, proof[:-1]),
        (6, old_root, 11, good, (*proof, proof[0])),
        (6, old_root, 11, good, ()),
        (5, old_root, 11, good, proof),
        (12, good, 11, good, ()),
        (11, good, 11, old_root, ()),
        (0, old_root, 11, good, ()),
        (0, EMPTY_ROOT, 11, good, proof),
    ):
        with pytest.raises(InvalidProof):
            verify_consistency(old, first, new, second, steps)
    verify_consistency(0, EMPTY_ROOT, 11, good, ())
    verify_consistency(11, good, 11, good, ())


def test_a_tree_with_a_missing_node_or_a_wrong_edge_is_corrupt() -> None:
    with pytest.raises(LedgerCorrupt):
        inclusion_proof(lambda _level, _index: None, 1, 4)
    with pytest.raises(LedgerCorrupt):
        extend((b"\0" * 32,), 3, [b"x"])
    with pytest.raises(ValueError, match="no entry 4"):
        inclusion_proof(lambda _level, _index: b"", 4, 4)
    with pytest.raises(ValueError, match="cannot extend"):
        consistency_proof(lambda _level, _index: b"", 5, 4)
