"""A tree with some of its paths changed, made of the messages of the directories on the way to them; all others stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, InvalidTree, LinkNode, encode_directory, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["changed_tree"]


class _Change:
    """What is to become of one name: removed, set, or changed in what is below it."""

    __slots__ = ("below", "gone", "node")

    def __init__(self) -> None:
        self.gone = False
        self.node: FileNode | LinkNode | None = None
        self.below: dict[str, _Change] = {}

    def at(self, path: str) -> _Change:
        found = self
        for part in path.split("/"):
            found = found.below.setdefault(part, _Change())
        return found


def changed_tree(
    root: BlobRef | None, gone: Iterable[str], nodes: Iterable[FileNode | LinkNode], get: Callable[[BlobRef], bytes]
) -> tuple[BlobRef, list[bytes]]:
    """A root (None: an empty one) without the paths ``gone`` and all below them, with ``nodes``, and Directory messages it may have new.

    A directory that nothing is left in goes too. ``get`` returns a blob's verified bytes. Raises :class:`InvalidTree` if the nodes do
    not fit.
    """
    top = _Change()
    for path in gone:
        top.at(path).gone = True
    for node in nodes:
        change = top.at(node.path)
        if change.node is not None and change.node != node:
            raise InvalidTree(f"two different nodes at one path: {node.path}", path=node.path)
        change.node = node
    messages: list[bytes] = []
    found = _changed(root, top, "", messages, get)
    if found is None:
        messages.append(b"")
        return BlobRef.of(b""), messages
    return found, messages


class _Folder:
    """What is directly in one directory."""

    def __init__(self, message: bytes) -> None:
        self.found = dict(walk(message))

    def remove(self, name: str) -> None:
        self.found.pop(name, None)

    def put_folder(self, name: str, ref: BlobRef | None, path: str) -> None:
        if not isinstance(self.found.get(name), BlobRef | None):
            if ref is None:
                return  # there is nothing below a file to be removed
            raise InvalidTree(f"a file or link has nodes below it: {path}", path=path)
        if ref is None:
            self.remove(name)
        else:
            self.found[name] = ref

    def put(self, name: str, node: FileNode | LinkNode, path: str) -> None:
        bare = msgspec.structs.replace(node, path=RelPath(name))
        if self.found.setdefault(name, bare) != bare:
            raise InvalidTree(f"two different nodes at one path: {path}", path=path)

    def encode(self) -> bytes:
        nodes = sorted(self.found.items(), key=lambda item: item[0].encode())
        return encode_directory(
            [(name, node.blob, node.executable) for name, node in nodes if isinstance(node, FileNode)],
            [(name, node) for name, node in nodes if isinstance(node, BlobRef)],
            [(name, node.target) for name, node in nodes if isinstance(node, LinkNode)],
        )


def _changed(ref: BlobRef | None, change: _Change, prefix: str, messages: list[bytes], get: Callable[[BlobRef], bytes]) -> BlobRef | None:
    """The message of one directory; None if nothing is in it."""
    try:
        folder = _Folder(b"" if ref is None else get(ref))
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(ref)) from error
    for name, wanted in change.below.items():
        path = f"{prefix}{name}"
        if wanted.gone:
            folder.remove(name)
        if wanted.below:
            old = folder.found.get(name)
            below = _changed(old if isinstance(old, BlobRef) else None, wanted, f"{path}/", messages, get)
            folder.put_folder(name, below, path)
        if wanted.node is not None:
            folder.put(name, wanted.node, path)
    if not folder.found:
        return None
    message = folder.encode()
    messages.append(message)
    return BlobRef.of(message)
