"""What steps gave, read once for all that ask: the steps that need it, and who looks whether the store has all of it.

Invariant: what is told here follows from the tree's reference alone, so it never has to be asked for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import FileNode, Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.base.digest import BlobRef

__all__ = ["GivenTrees"]

#: Trees of up to so many nodes are remembered, so many of them: those of many steps are small.
_SMALL_TREE, _MOST_TREES = 16, 4096


class GivenTrees:
    """The trees of steps' outputs; ``get`` returns a blob's verified bytes."""

    def __init__(self, get: Callable[[BlobRef], bytes]) -> None:
        self._get = get
        self._read: dict[BlobRef, tuple[Tree, tuple[BlobRef, ...]]] = {}

    def tree(self, outputs: BlobRef) -> Tree:
        """The files. Raises what ``get`` raises, and InvalidTree."""
        return self._of(outputs)[0]

    def blobs(self, outputs: BlobRef) -> tuple[BlobRef, ...]:
        """The tree's own Directory messages, its root first, and its files; each once. Raises what ``get`` raises, and InvalidTree."""
        return self._of(outputs)[1]

    def _of(self, outputs: BlobRef) -> tuple[Tree, tuple[BlobRef, ...]]:
        found = self._read.get(outputs)
        if found is None:
            refs: dict[BlobRef, None] = {}

            def get(folder: BlobRef) -> bytes:
                refs[folder] = None
                return self._get(folder)

            tree = read_tree(outputs, get)
            refs |= dict.fromkeys([node.blob for node in tree if isinstance(node, FileNode)])
            found = tree, tuple(refs)
            if len(tree) <= _SMALL_TREE:
                if len(self._read) >= _MOST_TREES:
                    self._read.clear()
                self._read[outputs] = found
        return found
