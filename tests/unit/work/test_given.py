"""What steps gave is read once, and told whole."""

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode, Tree
from lockage.work import given
from lockage.work.given import GivenTrees
from lockage.work.whole import blobs_of_tree

FILES = [FileNode(RelPath(path), BlobRef.of(path.encode())) for path in ("a", "d/b", "d/e/c")]
TREE = Tree.of([*FILES, LinkNode(RelPath("d/l"), "b"), Directory(RelPath("empty"))])


def test_a_tree_and_its_blobs_are_read_once() -> None:
    root, messages = TREE.encode()
    asked: list[BlobRef] = []

    def get(ref: BlobRef) -> bytes:
        asked.append(ref)
        return messages[ref]

    trees = GivenTrees(get)
    assert trees.tree(root) == TREE
    assert trees.blobs(root)[0] == root
    assert set(trees.blobs(root)) == set(blobs_of_tree(root, messages.__getitem__))
    assert sorted(asked) == sorted(messages)


def test_large_trees_are_not_held() -> None:
    nodes = [FileNode(RelPath(f"{place:03}"), BlobRef.of(b"")) for place in range(given._SMALL_TREE + 1)]
    root, messages = Tree.of(nodes).encode()
    asked: list[BlobRef] = []

    def get(ref: BlobRef) -> bytes:
        asked.append(ref)
        return messages[ref]

    trees = GivenTrees(get)
    assert trees.tree(root) == trees.tree(root)
    assert asked == [root, root]
