"""Trees of files as the Remote Execution API has them: nested Directory messages, each a blob named by its digest.

A :class:`Tree` is the flat view: every node by its full path, in the order of the path's segments. The encoding is
canonical (REAPI v2 ``Directory``: nodes sorted by name within their kind, no properties), so equal trees have equal digests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Integrity
from lockage.base.path import RelPath
from lockage.base.protobuf import bytes_field, fields, string_field, varint_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "EMPTY_TREE",
    "Directory",
    "FileNode",
    "InvalidTree",
    "LinkNode",
    "Node",
    "Tree",
    "encode_directory",
    "encode_ref",
    "parse_ref",
    "read_tree",
    "top_file",
    "walk",
]


class InvalidTree(Integrity):
    """A tree's bytes or its set of paths do not make a tree."""

    code = "invalid-tree"
    hint = "Two nodes may share a path, or a blob of the store is damaged; build from a clean source."


class FileNode(msgspec.Struct, frozen=True, tag="file"):
    """A regular file: its content and whether it may be executed."""

    path: RelPath
    blob: BlobRef
    executable: bool = False


class LinkNode(msgspec.Struct, frozen=True, tag="link"):
    """A symbolic link; its target is text and not resolved."""

    path: RelPath
    target: str


class Directory(msgspec.Struct, frozen=True, tag="directory"):
    """A directory. Those that hold something need not be named; empty ones must be."""

    path: RelPath


Node = FileNode | LinkNode | Directory


def encode_ref(ref: BlobRef) -> bytes:
    """The REAPI ``Digest`` message."""
    return b"\x0a\x40" + ref.digest.encode() + varint_field(2, ref.size)  # a digest always has 64 letters


def parse_ref(data: bytes) -> BlobRef:
    """Read a REAPI ``Digest`` message; raises ValueError."""
    found: dict[int, int | bytes] = dict(fields(data))
    digest, size = found.pop(1, b""), found.pop(2, 0)
    if found or not isinstance(digest, bytes) or not isinstance(size, int):
        raise ValueError("not a Digest message")
    return BlobRef(Digest(digest.decode()), size)


class _Folder:
    __slots__ = ("files", "folders", "links")

    def __init__(self) -> None:
        self.files: dict[str, FileNode] = {}
        self.folders: dict[str, _Folder] = {}
        self.links: dict[str, LinkNode] = {}


class Tree(msgspec.Struct, frozen=True):
    """A tree by its nodes, sorted by path segments; directories that hold something are implied and not listed."""

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Tree:
        """Sort the nodes and drop implied directories; raises :class:`InvalidTree` if two share a path or a file is a parent."""
        found: dict[tuple[str, ...], Node] = {}
        inner: set[tuple[str, ...]] = set()
        for node in nodes:
            key = node.path.parts
            other = found.get(key)
            if other is not None and other != node:
                raise InvalidTree(f"two different nodes at one path: {node.path}", path=node.path)
            found[key] = node
            for end in range(len(key) - 1, 0, -1):
                if key[:end] in inner:
                    break
                inner.add(key[:end])
        for key in inner:
            if not isinstance(found.get(key), Directory | None):
                raise InvalidTree(f"a file or link has nodes below it: {'/'.join(key)}", path="/".join(key))
        return cls(tuple(found[key] for key in sorted(found) if key not in inner))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def encode(self) -> tuple[BlobRef, dict[BlobRef, bytes]]:
        """The root Directory's reference, and the bytes of every Directory message by reference."""
        top = _Folder()
        for node in self.nodes:
            folder = top
            *parents, name = node.path.split("/")
            for part in parents:
                folder = folder.folders.setdefault(part, _Folder())
            if isinstance(node, FileNode):
                folder.files[name] = node
            elif isinstance(node, LinkNode):
                folder.links[name] = node
            else:
                folder.folders.setdefault(name, _Folder())
        blobs: dict[BlobRef, bytes] = {}
        return _encode(top, blobs), blobs

    @property
    def ref(self) -> BlobRef:
        """The tree digest: the root Directory's reference."""
        return self.encode()[0]

    def under(self, folder: RelPath) -> Tree:
        """The same tree moved below ``folder``."""
        return Tree.of([msgspec.structs.replace(node, path=folder.joined(node.path)) for node in self.nodes] or [Directory(folder)])


def encode_directory(
    files: Iterable[tuple[str, BlobRef, bool]], folders: Iterable[tuple[str, BlobRef]], links: Iterable[tuple[str, str]]
) -> bytes:
    """One Directory message of (name, blob, executable), (name, message) and (name, target), each in the order of the names' bytes."""
    out = bytearray()
    for name, ref, executable in files:
        out += bytes_field(1, string_field(1, name) + bytes_field(2, encode_ref(ref)) + varint_field(4, int(executable)))
    for name, ref in folders:
        out += bytes_field(2, string_field(1, name) + bytes_field(2, encode_ref(ref)))
    for name, target in links:
        out += bytes_field(3, string_field(1, name) + string_field(2, target))
    return bytes(out)


def _encode(folder: _Folder, blobs: dict[BlobRef, bytes]) -> BlobRef:
    nodes = (folder.files[name] for name in sorted(folder.files, key=str.encode))
    data = encode_directory(
        [(node.path.rpartition("/")[2], node.blob, node.executable) for node in nodes],
        [(name, _encode(folder.folders[name], blobs)) for name in sorted(folder.folders, key=str.encode)],
        [(name, folder.links[name].target) for name in sorted(folder.links, key=str.encode)],
    )
    ref = BlobRef.of(data)
    blobs[ref] = data
    return ref


def _message(data: bytes, kinds: Mapping[int, type]) -> dict[int, int | bytes]:
    found = dict(fields(data))
    for number, value in found.items():
        if number not in kinds or not isinstance(value, kinds[number]):
            raise ValueError(f"unexpected field {number}")
    return found


def _text(found: dict[int, int | bytes], number: int) -> str:
    value = found.get(number, b"")
    assert isinstance(value, bytes)
    return value.decode()


def _plain_file(body: bytes) -> FileNode | None:
    """A file's message as nearly all are: a short name, a size, no surprises; None for any other, which is read field by field.

    A tree of 100,000 files is read for many plans, and most of the time would go into what a message could hold and does not.
    """
    at = 2 + (body[1] if len(body) > 1 else 0)  # behind the name
    if len(body) < at + 70 or body[0] != 0x0A or body[1] > 0x7F or body[at] != 0x12 or body[at + 2 : at + 4] != b"\x0a\x40":
        return None
    end = at + 2 + body[at + 1]
    rest = body[end:]
    if body[at + 1] > 0x7F or end < at + 70 or body[at + 68] != 0x10 or (rest and rest != b"\x20\x01"):
        return None
    size = shift = 0
    for byte in body[at + 69 : end]:
        size |= (byte & 0x7F) << shift
        shift += 7
    if len(body) < end or body[end - 1] > 0x7F or any(byte < 0x80 for byte in body[at + 69 : end - 1]):
        return None
    return FileNode(RelPath(body[2:at].decode()), BlobRef(Digest(body[at + 4 : at + 68].decode()), size), bool(rest))


def walk(data: bytes) -> Iterator[tuple[str, FileNode | LinkNode | BlobRef]]:
    """The direct nodes of one Directory message, by name; a sub-directory is the reference of its own message.

    Paths of the nodes are their bare names. Raises ValueError if the message is malformed or has fields we do not write.
    """
    for number, body in fields(data):
        if not isinstance(body, bytes):
            raise ValueError(f"unexpected field {number} in a Directory")
        plain = _plain_file(body) if number == 1 else None
        if plain is not None:
            yield plain.path, plain
        elif number == 1:
            found = _message(body, {1: bytes, 2: bytes, 4: int})
            name = RelPath(_text(found, 1))
            ref = found.get(2, b"")
            assert isinstance(ref, bytes)
            yield name, FileNode(name, parse_ref(ref), bool(found.get(4, 0)))
        elif number == 2:
            found = _message(body, {1: bytes, 2: bytes})
            ref = found.get(2, b"")
            assert isinstance(ref, bytes)
            yield RelPath(_text(found, 1)), parse_ref(ref)
        elif number == 3:
            found = _message(body, {1: bytes, 2: bytes})
            name = RelPath(_text(found, 1))
            yield name, LinkNode(name, _text(found, 2))
        else:
            raise ValueError(f"unexpected field {number} in a Directory")


def read_tree(root: BlobRef, get: Callable[[BlobRef], bytes]) -> Tree:
    """The tree whose root Directory is ``root``; ``get`` returns a blob's verified bytes. Raises :class:`InvalidTree`."""
    nodes: list[Node] = []

    def visit(ref: BlobRef, prefix: str) -> None:
        found = 0
        for name, node in walk(get(ref)):
            found += 1
            path = str.__new__(RelPath, prefix + name)  # both are paths already
            if isinstance(node, BlobRef):
                visit(node, f"{path}/")
            elif isinstance(node, FileNode):
                nodes.append(FileNode(path, node.blob, node.executable))
            else:
                nodes.append(msgspec.structs.replace(node, path=path))
        if not found and prefix:
            nodes.append(Directory(RelPath(prefix[:-1])))

    try:
        visit(root, "")
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(root)) from error
    return Tree.of(nodes)


def file_at(root: BlobRef, path: RelPath, get: Callable[[BlobRef], bytes]) -> BlobRef | None:
    """The reference of a regular file's bytes, reading only the directories above it; None if there is none at that path."""
    *folders, name = path.parts
    try:
        for folder in folders:
            below = dict(walk(get(root))).get(folder)
            if not isinstance(below, BlobRef):
                return None
            root = below
        found = dict(walk(get(root))).get(name)
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(root)) from error
    return found.blob if isinstance(found, FileNode) else None


def top_file(root: BlobRef, name: str, get: Callable[[BlobRef], bytes]) -> bytes | None:
    """The bytes of a regular file at the top of a tree; None if there is none of that name. Raises :class:`InvalidTree`."""
    try:
        found = dict(walk(get(root))).get(name)
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(root)) from error
    return get(found.blob) if isinstance(found, FileNode) else None


EMPTY_TREE = Tree(())
