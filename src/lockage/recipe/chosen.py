"""What patterns choose of one tree, for many steps: the tree is put in order once, and a pattern looks only where it can match.

Invariant: what is chosen is what :func:`lockage.recipe.glob.select` chooses; only the time differs.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lockage.base.digest import Digest, Hasher
from lockage.base.tree import FileNode, LinkNode, Tree
from lockage.recipe.glob import literal_head, plain_folder, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockage.base.tree import Node

__all__ = ["Chosen"]

#: What stands for ``/`` in the order of paths, so that a folder comes directly before what is in it; and what comes directly after it.
_SLASH, _AFTER = "\0", "\1"


class Chosen:
    """What the steps of a plan choose of its source. ``read`` gives the tree, which is not asked for while ``known`` digests do."""

    def __init__(self, read: Callable[[], Tree], known: Mapping[tuple[str, ...], Digest] | None = None) -> None:
        self._read = read
        self._tree: Tree | None = None
        self._order: list[str] = []
        self._selected: dict[tuple[str, ...], tuple[Tree, tuple[str, ...]]] = {}
        #: What :meth:`digest` has told, by patterns.
        self.digests: dict[tuple[str, ...], Digest] = dict(known or {})

    @property
    def tree(self) -> Tree:
        """The whole tree."""
        if self._tree is None:
            self._tree = self._read()
            self._order = [node.path.replace("/", _SLASH) for node in self._tree.nodes]
        return self._tree

    def select(self, patterns: tuple[str, ...]) -> tuple[Tree, tuple[str, ...]]:
        """As :func:`lockage.recipe.glob.select` of the tree."""
        found = self._selected.get(patterns)
        if found is None:
            found = self._selected[patterns] = self._select(patterns)
        return found

    def digest(self, patterns: tuple[str, ...]) -> Digest:
        """Tells what is chosen from everything else that could be; for keys of memos only."""
        found = self.digests.get(patterns)
        if found is None:
            hasher = Hasher()
            for node in self.select(patterns)[0].nodes:
                hasher.update(_line(node))
            found = self.digests[patterns] = hasher.digest()
        return found

    def _select(self, patterns: tuple[str, ...]) -> tuple[Tree, tuple[str, ...]]:
        tree = self.tree
        wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
        plain = [plain_folder(pattern) for pattern in wanted]
        if len(wanted) < len(patterns) or None in plain:
            heads = [literal_head(pattern) for pattern in wanted]
            return select(Tree(self._within([self._span(head, itself=True) for head in heads])), patterns)
        spans = [self._span(path, itself=itself) for path, itself in filter(None, plain)]
        unmatched = tuple(pattern for pattern, (first, after) in zip(wanted, spans, strict=True) if first == after)
        return (tree if len(tree) in [after - first for first, after in spans] else Tree(self._within(spans))), unmatched

    def _span(self, path: str, *, itself: bool) -> tuple[int, int]:
        """The places of all below a path, and of what is at the path."""
        if not path:
            return 0, len(self._order)
        key = path.replace("/", _SLASH)
        return bisect_left(self._order, key if itself else key + _SLASH), bisect_left(self._order, key + _AFTER)

    def _within(self, spans: Sequence[tuple[int, int]]) -> tuple[Node, ...]:
        """The nodes of several spans, each once and in order."""
        nodes: list[Node] = []
        done = 0
        for first, after in sorted(spans):
            nodes.extend(self.tree.nodes[max(first, done) : after])
            done = max(done, after)
        return tuple(nodes)


def _line(node: Node) -> bytes:
    if isinstance(node, FileNode):
        return f"{node.path}\0{node.blob.digest}{int(node.executable)}\0".encode()
    return f"{node.path}\0{'l' + node.target if isinstance(node, LinkNode) else 'd'}\0".encode()
