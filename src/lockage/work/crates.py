"""Crates for steps that build Rust: what a Cargo.lock pins, fetched, unpacked, and laid where cargo finds it without a network."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.base.errors import LockageError
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, InvalidTree, Node, Tree, read_tree
from lockage.ports import InputChanged, MirrorUnconfigured
from lockage.recipe.crates import CONFIG, CONFIG_PATH, VENDOR, Crate, InvalidCargoLock, as_fetch_input, checksum_file, read_crates
from lockage.stabilize.errors import MalformedArchive, Unhandled, UnsafeArchive
from lockage.stabilize.model import MemberKind
from lockage.stabilize.tar_reader import read_tar
from lockage.work.inputs import fetch_inputs

if TYPE_CHECKING:
    from lockage.recipe.model import FetchInput
    from lockage.work.services import Services

__all__ = ["archives_of", "crates_of", "vendored"]

#: An unpacked crate of more bytes is not believed.
_MOST_UNPACKED = 1 << 30
_CHECKSUM = RelPath(".cargo-checksum.json")


def crates_of(services: Services, source: Tree, path: RelPath) -> tuple[Crate, ...]:
    """The crates that a Cargo.lock of the source pins. Raises InvalidCargoLock."""
    node = next((node for node in source if node.path == path), None)
    if not isinstance(node, FileNode):
        raise InvalidCargoLock(f"the source has no file {path}", file=path)
    return read_crates(services.blobs.get(node.blob), path)


def archives_of(services: Services, crates: tuple[Crate, ...]) -> list[FetchInput]:
    """The archives of crates as fetch inputs; raises MirrorUnconfigured if there are any and no registry is set."""
    registry = services.crate_registry
    if crates and registry is None:
        raise MirrorUnconfigured(
            f"no registry is set to get crates from, and {len(crates)} are needed",
            hint="Set LOCKAGE_CRATES to a registry's download address (`dl` in the config.json of its index).",
            setting="LOCKAGE_CRATES",
        )
    return [as_fetch_input(crate, registry or "") for crate in crates]


def vendored(services: Services, source: Tree, path: RelPath) -> Tree:
    """A tree with every crate of a Cargo.lock, unpacked, and cargo's configuration. Raises what fetching raises."""
    crates = crates_of(services, source, path)
    known = {crate: _remembered(services, crate) for crate in crates}
    missing = tuple(crate for crate, tree in known.items() if tree is None)
    kept = fetch_inputs(services, archives_of(services, missing))
    nodes: list[Node] = [FileNode(CONFIG_PATH, services.blobs.put(CONFIG))]
    for crate, tree in known.items():
        nodes.extend((tree or _unpacked(services, crate, kept[crate.sha256])).under(VENDOR.joined(crate.title)).nodes)
    return Tree.of(nodes)


def _remembered(services: Services, crate: Crate) -> Tree | None:
    """The tree of a crate that was unpacked before, if all of it is still kept."""
    text = services.memo.get("crate", crate.sha256)
    try:
        tree = None if text is None else read_tree(BlobRef.parse(text.decode()), services.blobs.get)
    except (ValueError, LockageError):
        return None
    whole = tree is not None and all(services.blobs.has(node.blob) for node in tree if isinstance(node, FileNode))
    return tree if whole else None


def _unpacked(services: Services, crate: Crate, archive: BlobRef) -> Tree:
    """The files of a crate's archive, without the folder that all of them lie in."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(services.blobs.get(archive), _MOST_UNPACKED)
        if not unpacker.eof:
            raise ValueError("it is cut short, or larger than any crate")
        members = [member for member in read_tar(data).members if member.kind is not MemberKind.DIRECTORY]
        for member in members:
            if member.kind is not MemberKind.FILE or not member.path.startswith(f"{crate.title}/"):
                raise ValueError(f"{member.path!r} is no file of the folder {crate.title}")
        contents = {RelPath(member.path.partition("/")[2]): (member.read(), member.executable) for member in members}
        contents[_CHECKSUM] = (checksum_file(crate), False)
        refs = services.blobs.put_many([content for content, _ in contents.values()])
        tree = Tree.of(FileNode(name, ref, runs) for (name, (_, runs)), ref in zip(contents.items(), refs, strict=True))
    except (zlib.error, ValueError, InvalidTree, MalformedArchive, UnsafeArchive, Unhandled) as error:
        raise InputChanged(
            f"the crate {crate.title} is no archive of its own files: {error}",
            hint="Its sha256 is what Cargo.lock pins, so whoever published it made it so: use another version.",
            crate=crate.title,
        ) from error
    ref, directories = tree.encode()
    services.blobs.put_many(directories.values())
    services.memo.put("crate", crate.sha256, str(ref).encode())
    return tree
