"""Trees of files as the Remote Execution API has them: nested Directory messages, each a blob named by its digest.

A :class:`Tree` is the flat view: every node by its full path, in the order of the path's segments. The encoding is
canonical (REAPI v2 ``Directory``: nodes sorted by name within their kind, no properties), so equal trees have equal digests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Integrity
from lockage.base.path import RelPath
from lockage.base.protobuf import bytes_field, field_at, fields, string_field, varint, varint_field

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

#: What a FileNode message of REAPI says of a file that may be executed.
_EXECUTABLE: Final = varint_field(4, 1)


def encode_ref(ref: BlobRef) -> bytes:
    """The REAPI ``Digest`` message."""
    size = b"\x10" + varint(ref.size) if ref.size else b""
    return b"\x0a\x40" + ref.digest.encode() + size  # a digest always has 64 letters


def ref_field(number: int, ref: BlobRef) -> bytes:
    """A field of that number, below 16, that holds a REAPI ``Digest`` message."""
    size = b"\x10" + varint(ref.size) if ref.size else b""
    return b"%c%c\x0a\x40%b%b" % (number << 3 | 2, 66 + len(size), ref.digest.encode(), size)


def parse_ref(data: bytes) -> BlobRef:
    """Read a REAPI ``Digest`` message; raises ValueError."""
    found: dict[int, int | bytes] = dict(fields(data))
    digest, size = found.pop(1, b""), found.pop(2, 0)
    if found or not isinstance(digest, bytes) or not isinstance(size, int):
        raise ValueError("not a Digest message")
    return BlobRef(Digest(digest.decode()), size)


def _by_segments(path: str) -> str:
    """Sorts as the tuple of the path's segments would: nothing in a path comes before what is put between them."""
    return path.replace("/", "\0")


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
        found: dict[str, Node] = {}
        inner: set[str] = set()
        for node in nodes:
            path = node.path
            other = found.get(path)
            if other is not None and other != node:
                raise InvalidTree(f"two different nodes at one path: {path}", path=path)
            found[path] = node
            end = path.rfind("/")
            while end > 0 and (folder := path[:end]) not in inner:
                inner.add(folder)
                end = path.rfind("/", 0, end)
        for folder in inner:
            if not isinstance(found.get(folder), Directory | None):
                raise InvalidTree(f"a file or link has nodes below it: {folder}", path=folder)
        order = sorted(found, key=_by_segments) if inner else sorted(found)
        return cls(tuple([found[path] for path in order if path not in inner]))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def encode(self) -> tuple[BlobRef, dict[BlobRef, bytes]]:
        """The root Directory's reference, and the bytes of every Directory message by reference."""
        if self.flat:  # as what most steps see and give is
            data = b"".join([_file(node.path, node.blob, node.executable) for node in self.nodes if isinstance(node, FileNode)])
            ref = BlobRef.of(data)
            return ref, {ref: data}
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
    def flat(self) -> bool:
        """Whether it is one folder of files, each by a name of its own, in their order."""
        before = ""
        for node in self.nodes:
            path = node.path
            if "/" in path or path <= before or not isinstance(node, FileNode):
                return False
            before = path
        return True

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum([node.blob.size for node in self.nodes if isinstance(node, FileNode)])

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
    out: list[bytes] = []
    for name, ref, executable in files:
        out.append(_file(name, ref, executable))
    for name, ref in folders:
        out.append(bytes_field(2, string_field(1, name) + ref_field(2, ref)))
    for name, target in links:
        out.append(bytes_field(3, string_field(1, name) + string_field(2, target)))
    return b"".join(out)


def _file(name: str, ref: BlobRef, executable: bool) -> bytes:
    """One file of a Directory message, with its tag."""
    text = name.encode()
    size = b"\x10" + varint(ref.size) if ref.size else b""
    more = _EXECUTABLE if executable else b""
    digest = ref.digest.encode()
    if len(text) > 0x7F or not text:
        return bytes_field(1, string_field(1, name) + ref_field(2, ref) + more)
    length = varint(70 + len(text) + len(size) + len(more))
    return b"\x0a%b\x0a%c%b\x12%c\x0a\x40%b%b%b" % (length, len(text), text, 66 + len(size), digest, size, more)


def _encode(folder: _Folder, blobs: dict[BlobRef, bytes]) -> BlobRef:
    # Names in the order of their characters are in that of their bytes: UTF-8 has it so.
    data = encode_directory(
        [(name, (node := folder.files[name]).blob, node.executable) for name in sorted(folder.files)],
        [(name, _encode(folder.folders[name], blobs)) for name in sorted(folder.folders)],
        [(name, folder.links[name].target) for name in sorted(folder.links)],
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


#: A file's message in a Directory as nearly all are: a short name, a size, no surprises. Any other is read field by field. A tree of
#: 100,000 files is read for many plans, and most of the time would go into what a message could hold and does not.
_PLAIN_FILE = re.compile(
    rb"\x0a([\x00-\x7f]|[\x80-\xff]\x01)\x0a([\x01-\x7f])(.{1,127}?)\x12([\x00-\x7f])\x0a\x40([0-9a-f]{64})"
    rb"\x10([\x80-\xff]{0,8}[\x00-\x7f])(\x20\x01)?",
    re.DOTALL,
)


def _plain_file(data: bytes, at: int) -> tuple[FileNode | None, int]:
    """The file whose message begins here, and where it ends; None if it is to be read field by field."""
    found = _PLAIN_FILE.match(data, at)
    if found is None:
        return None, at
    whole, length, name, rest, digest, size, executable = found.groups()
    # The pattern finds the parts by what they look like; they are that only if all lengths say so as well.
    if length[0] != len(name) or rest[0] != 67 + len(size) or whole != varint(71 + len(name) + len(size) + (2 if executable else 0)):
        return None, at
    count = size[0]
    if len(size) > 1:
        count = sum([(byte & 0x7F) << 7 * place for place, byte in enumerate(size)])
    ref = BlobRef(str.__new__(Digest, digest.decode()), count)  # the pattern has only such letters
    return FileNode(RelPath(name.decode()), ref, executable is not None), found.end()


def _plain_files(data: bytes) -> tuple[list[FileNode], int]:
    """The files that a Directory message begins with, as far as they are plain, and where the rest of it begins."""
    found: list[FileNode] = []
    at = 0
    while at < len(data):
        plain, at = _plain_file(data, at)
        if plain is None:
            break
        found.append(plain)
    return found, at


def walk(data: bytes, at: int = 0) -> Iterator[tuple[str, FileNode | LinkNode | BlobRef]]:
    """The direct nodes of one Directory message, by name; a sub-directory is the reference of its own message.

    Paths of the nodes are their bare names. Those before ``at`` are left out.
    Raises ValueError if the message is malformed or has fields we do not write.
    """
    while at < len(data):
        plain, at = _plain_file(data, at)
        if plain is not None:
            yield plain.path, plain
            continue
        number, body, at = field_at(data, at)
        if not isinstance(body, bytes):
            raise ValueError(f"unexpected field {number} in a Directory")
        if number == 1:
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
    try:
        _read_below(root, "", get, nodes)
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(root)) from error
    tree = Tree(tuple(nodes))
    return tree if tree.flat else Tree.of(nodes)


def _read_below(folder: BlobRef, prefix: str, get: Callable[[BlobRef], bytes], nodes: list[Node]) -> None:
    """Add what a Directory message names, with what is below that. A function in a function would refer to itself, and be garbage."""
    data = get(folder)
    files, at = _plain_files(data)
    nodes.extend(_below(prefix, files) if prefix else files)
    for name, node in walk(data, at) if at < len(data) else ():
        if isinstance(node, BlobRef):
            _read_below(node, f"{prefix}{name}/", get, nodes)
        else:
            nodes.extend(_below(prefix, [node]) if prefix else [node])
    if not data and prefix:
        nodes.append(Directory(RelPath(prefix[:-1])))


def _below(prefix: str, nodes: Iterable[FileNode | LinkNode]) -> Iterator[FileNode | LinkNode]:
    """The same nodes in the folder whose path, with its slash, is ``prefix``."""
    for node in nodes:
        path = str.__new__(RelPath, prefix + node.path)  # both are paths already
        yield FileNode(path, node.blob, node.executable) if isinstance(node, FileNode) else LinkNode(path, node.target)


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
