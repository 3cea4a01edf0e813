"""What a root has otherwise than another, as a layer: unpacked over the other, it is the root."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import LockedImage
from lockage.environment.image import changes, layer_tar
from lockage.environment.root import Entry, Kind, node_rows
from lockage.environment.root.layered import layered

NAMES = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
#: Every file of one of these is another name of the same file.
SHARED = ("", "", "1", "2")
NODES = st.tuples(
    st.sampled_from([Kind.FILE, Kind.FILE, Kind.DIRECTORY, Kind.LINK]),
    st.sampled_from([0o644, 0o755, 0o1777, 0o4755]),
    st.integers(0, 1),
    st.integers(0, 2),
    st.sampled_from(SHARED),
)


def content(number: int) -> bytes:
    return b"x" * number


@st.composite
def roots(draw: st.DrawFn) -> list[Entry]:
    """A root: nothing lies below a file or a link, and names of one file are the same in all else."""
    nodes = draw(st.dictionaries(PATHS, NODES, max_size=12))
    found: dict[str, Entry] = {}
    first: dict[str, Entry] = {}
    for text in sorted(nodes, key=lambda path: path.count("/")):
        kind, mode, uid, number, source = nodes[text]
        above = _above(text)
        if any(one in found and found[one].kind is not Kind.DIRECTORY for one in above):
            continue
        for one in above:
            found.setdefault(one, Entry(path=RelPath(one), kind=Kind.DIRECTORY, mode=0o755))
        found[text] = _entry(RelPath(text), kind, mode, uid, number, source, first)
    return list(found.values())


def _above(text: str) -> list[str]:
    parts = text.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _entry(path: RelPath, kind: Kind, mode: int, uid: int, number: int, source: str, first: dict[str, Entry]) -> Entry:
    if kind is Kind.LINK:
        return Entry(path=path, kind=kind, mode=0o777, uid=uid, target=f"nowhere/{number}")
    if kind is Kind.DIRECTORY:
        return Entry(path=path, kind=kind, mode=mode, uid=uid)
    ref = BlobRef.of(content(number))
    own = Entry(path=path, kind=kind, mode=mode, uid=uid, size=ref.size, sha256=ref.digest, source=source)
    twin = first.setdefault(source, own) if source and number else None
    if twin is None:
        return Entry(path=path, kind=kind, mode=mode, uid=uid, size=ref.size, sha256=ref.digest)
    return Entry(path=path, kind=kind, mode=twin.mode, uid=twin.uid, size=twin.size, sha256=twin.sha256, source=source)


@given(before=roots(), after=roots())
def test_a_root_and_its_changes_unpacked_are_the_other_root(before: list[Entry], after: list[Entry]) -> None:
    blobs = MemoryBlobs()
    above = changes(before, after)
    refs = tuple(blobs.put(b"".join(layer_tar(entries, lambda entry: content(entry.size)))) for entries in (before, above))
    image = LockedImage(name="x", manifest=refs[0], config=refs[0], layers=refs)
    received = LocalRoots(blobs, Path("/nowhere")).received(image)
    assert node_rows(layered(layer.members for layer in received).values()) == node_rows(after)
    assert tuple(layer.diff_id for layer in received) == tuple(ref.digest for ref in refs)
    assert (above == []) == (node_rows(before) == node_rows(after))


@given(before=roots(), after=roots())
def test_changes_are_a_function_of_the_roots_whatever_the_order(before: list[Entry], after: list[Entry]) -> None:
    def archive(entries: list[Entry]) -> Digest:
        return Digest.of(b"".join(layer_tar(entries, lambda entry: content(entry.size))))

    assert archive(changes(before[::-1], after[::-1])) == archive(changes(before, after))
