"""A tree changed by its directories is the tree that its nodes would make, with one exception: where nothing is left nothing stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.changed_tree import changed_tree
from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, InvalidTree, LinkNode, Tree

PATHS = st.lists(st.sampled_from("abé"), min_size=1, max_size=3).map("/".join)
NODES = st.lists(
    st.builds(
        lambda path, kind: LinkNode(RelPath(path), "x") if kind == 2 else FileNode(RelPath(path), BlobRef.of(path.encode()), bool(kind)),
        PATHS,
        st.integers(0, 2),
    ),
    max_size=8,
)


def fitting(nodes: list[FileNode | LinkNode]) -> list[FileNode | LinkNode]:
    """Those that can be in one tree."""
    found: dict[str, FileNode | LinkNode] = {}
    for node in nodes:
        if not any(other == node.path or other.startswith(f"{node.path}/") or node.path.startswith(f"{other}/") for other in found):
            found[node.path] = node
    return list(found.values())


def is_below(path: str, gone: list[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in gone)


@given(NODES.map(fitting), st.lists(PATHS, max_size=4), NODES)
def test_it_is_the_tree_of_the_same_nodes(before: list[FileNode | LinkNode], gone: list[str], nodes: list[FileNode | LinkNode]) -> None:
    root, messages = Tree.of(before).encode()
    try:
        wanted, _ = Tree.of([*(node for node in before if not is_below(node.path, gone)), *nodes]).encode()
    except InvalidTree:
        with pytest.raises(InvalidTree):
            changed_tree(root, gone, [*nodes], messages.__getitem__)
        return
    found, new = changed_tree(root, gone, nodes, messages.__getitem__)
    assert found == wanted
    held = {**messages, **{BlobRef.of(data): data for data in new}}
    assert found in held


def test_other_directories_are_not_read() -> None:
    nodes = [FileNode(RelPath(f"{folder}/x"), BlobRef.of(b"x")) for folder in "abc"]
    root, messages = Tree.of(nodes).encode()
    read: list[BlobRef] = []

    def get(ref: BlobRef) -> bytes:
        read.append(ref)
        return messages[ref]

    found, new = changed_tree(root, ["b/x"], [FileNode(RelPath("b/y"), BlobRef.of(b"y"))], get)
    assert found == Tree.of([nodes[0], nodes[2], FileNode(RelPath("b/y"), BlobRef.of(b"y"))]).ref
    assert (len(read), len(new)) == (2, 2)


def test_from_nothing_and_to_nothing() -> None:
    node = FileNode(RelPath("a/b"), BlobRef.of(b"x"))
    nothing: dict[BlobRef, bytes] = {}
    found, messages = changed_tree(None, ["z"], [node], nothing.__getitem__)
    assert found == Tree.of([node]).ref
    held = {BlobRef.of(data): data for data in messages}
    assert changed_tree(found, ["a"], [], held.__getitem__) == (BlobRef.of(b""), [b""])
