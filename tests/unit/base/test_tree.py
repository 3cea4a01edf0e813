"""Trees in the encoding of the Remote Execution API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base import tree
from lockage.base.digest import EMPTY_BLOB, BlobRef, Digest
from lockage.base.path import RelPath
from lockage.base.protobuf import bytes_field, string_field, varint_field
from lockage.base.tree import Directory, FileNode, InvalidTree, LinkNode, Node, Tree, encode_directory, encode_ref, read_tree

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=5).filter(
    lambda s: s not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: RelPath("/".join(parts)))
NODES = st.one_of(
    st.builds(FileNode, PATHS, st.builds(lambda n: BlobRef(Digest(f"{n:064x}"), n), st.integers(0, 1000)), st.booleans()),
    st.builds(LinkNode, PATHS, NAMES),
    st.builds(Directory, PATHS),
)


def consistent(nodes: list[Node]) -> list[Node]:
    """Those of the nodes that neither share a path nor lie below a file."""
    kept: dict[str, Node] = {}
    for node in nodes:
        inner = any(other.startswith(f"{node.path}/") for other in kept)
        below = any(node.path.startswith(f"{other}/") and not isinstance(kept[other], Directory) for other in kept)
        if node.path not in kept and not below and not (inner and not isinstance(node, Directory)):
            kept[node.path] = node
    return list(kept.values())


@given(st.lists(NODES, max_size=12).map(consistent))
def test_trees_read_back_as_they_were(nodes: list[Node]) -> None:
    tree = Tree.of(nodes)
    root, blobs = tree.encode()
    assert read_tree(root, blobs.__getitem__) == tree
    assert Tree.of(reversed(nodes)).ref == root


SIZES = st.sampled_from([0, 1, 127, 128, 16383, 16384, (1 << 63) - 1])
FILES = st.builds(
    FileNode,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=200)
    .filter(lambda s: s not in (".", ".."))
    .map(RelPath),
    st.builds(lambda n, size: BlobRef(Digest(f"{n:064x}"), size), st.integers(0, 1000), SIZES),
    st.booleans(),
)


@given(st.lists(FILES, max_size=5, unique_by=lambda node: node.path), st.booleans())
def test_a_folder_of_files_alone_is_written_and_read_as_any_other(nodes: list[FileNode], below: bool) -> None:
    files = [
        bytes_field(1, string_field(1, node.path) + bytes_field(2, encode_ref(node.blob)) + varint_field(4, node.executable))
        for node in sorted(nodes, key=lambda node: node.path.encode())
    ]
    tree = Tree.of(nodes)
    root, blobs = tree.encode()
    assert blobs == {root: b"".join(files)}
    assert root == BlobRef.of(b"".join(files))
    assert Tree(tuple(reversed(nodes))).encode() == (root, blobs), "whatever order they are given in"
    if below and nodes:
        root, messages = tree.under(RelPath("folder")).encode()
        assert b"".join(files) in messages.values()
        assert read_tree(root, messages.__getitem__) == tree.under(RelPath("folder"))
    else:
        assert read_tree(root, blobs.__getitem__) == tree
    assert tree.size == sum(node.blob.size for node in nodes)


def test_empty_tree_is_the_empty_message() -> None:
    assert Tree.of([]).ref == EMPTY_BLOB


def test_executable_and_target_are_part_of_the_identity() -> None:
    path = RelPath("a")
    refs = {
        Tree.of([node]).ref for node in (FileNode(path, EMPTY_BLOB), FileNode(path, EMPTY_BLOB, True), LinkNode(path, "b"), Directory(path))
    }
    assert len(refs) == 4


@pytest.mark.parametrize(
    "nodes",
    [
        [FileNode(RelPath("a"), EMPTY_BLOB), LinkNode(RelPath("a"), "b")],
        [FileNode(RelPath("a"), EMPTY_BLOB), FileNode(RelPath("a/b"), EMPTY_BLOB)],
        [LinkNode(RelPath("a"), "c"), Directory(RelPath("a/b"))],
    ],
)
def test_what_is_not_a_tree(nodes: list[Node]) -> None:
    with pytest.raises(InvalidTree):
        Tree.of(nodes)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x22\x00", b"\x0a\x04\x0a\x02..", b"\x08\x01"])
def test_damaged_messages(data: bytes) -> None:
    with pytest.raises(InvalidTree):
        read_tree(BlobRef.of(data), lambda _: data)


@pytest.mark.parametrize("text", ["", "/a", "a/", "a//b", "./a", "a/..", "a\0b", "\ud800"])
def test_paths_that_are_not_relative_and_normal(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        RelPath(text)


_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=140).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 256
)
_entries = st.lists(st.tuples(_names, st.integers(0, 1 << 40), st.booleans()), max_size=4, unique_by=lambda entry: entry[0])


@given(_entries, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_a_plain_file_is_read_as_field_by_field(entries: list[tuple[str, int, bool]], damage: list[tuple[int, int]]) -> None:
    """Whatever a message holds, damaged or not, the short way gives what the long way gives, or leaves it to that."""
    files = [(name, BlobRef(Digest.of(name.encode()), size), executable) for name, size, executable in entries]
    data = bytearray(encode_directory(files, [], []))
    for at, value in damage:
        if at < len(data):
            data[at] = value
    found = []
    for short in (tree._plain_file, lambda data, at: (None, at)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tree, "_plain_file", short)
            try:
                found.append(list(tree.walk(bytes(data))))
            except ValueError:
                found.append([])  # both refuse
    assert found[0] == found[1]
    if not damage:
        assert [(str(name), node.blob, node.executable) for name, node in found[0]] == files  # type: ignore[union-attr]  # they are files
