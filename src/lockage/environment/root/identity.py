"""A root's identity: its REAPI tree digest and its metadata digest (docs/formats/root.md).

Invariants: both depend on the entries only, never on disks, times, users or the order of anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical
from lockage.base.digest import BlobRef, Digest
from lockage.base.tree import Directory, FileNode, LinkNode, Tree
from lockage.environment.lock import RootRef
from lockage.environment.root.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.path import RelPath
    from lockage.base.tree import Node
    from lockage.environment.root.entry import Entry

__all__ = ["metadata_bytes", "node_rows", "root_ref", "tree_of"]


#: One node: path, type, mode, uid, gid, target, size, sha256.
Row = tuple[str | int | None, ...]


def node_rows(entries: Iterable[Entry]) -> dict[RelPath, Row]:
    """Every node as ``(path, type, mode, uid, gid, target, size, sha256)``, sorted by the UTF-8 bytes of the path.

    A file that has several names is a ``file`` under the first of them, and under each other a ``hardlink`` whose target is the first.
    """
    rows: dict[RelPath, Row] = {}
    first: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: entry.path.encode()):
        kind, target = entry.kind, entry.target or None
        if kind is Kind.FILE and entry.source:
            name = first.setdefault(entry.source, entry.path)
            if name != entry.path:
                kind, target = Kind.HARDLINK, name
        is_file = entry.kind is Kind.FILE
        rows[entry.path] = (
            str(entry.path),
            str(kind),
            entry.mode,
            entry.uid,
            entry.gid,
            target,
            entry.size if is_file else None,
            str(entry.sha256) if is_file else None,
        )
    return rows


def metadata_bytes(entries: Iterable[Entry]) -> bytes:
    """The RFC 8785 bytes of the list of nodes, as :func:`node_rows` has them."""
    return canonical([list(row) for row in node_rows(entries).values()])


def tree_of(entries: Iterable[Entry]) -> Tree:
    """The root as REAPI has it: executable is the owner's execute bit, every other mode bit is lost."""
    nodes: list[Node] = []
    for entry in entries:
        if entry.kind is Kind.FILE:
            assert entry.sha256 is not None
            nodes.append(FileNode(entry.path, BlobRef(entry.sha256, entry.size), bool(entry.mode & 0o100)))
        elif entry.kind is Kind.LINK:
            nodes.append(LinkNode(entry.path, entry.target))
        else:
            nodes.append(Directory(entry.path))
    return Tree.of(nodes)


def root_ref(entries: Iterable[Entry]) -> RootRef:
    """Both digests of a root."""
    listed = list(entries)
    return RootRef(tree=tree_of(listed).ref, metadata=Digest.of(metadata_bytes(listed)))
