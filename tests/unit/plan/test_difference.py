"""Actions read back, and what differs between two of one step."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode, Tree
from lockage.environment.lock import RootRef
from lockage.plan.action import Action, read_action
from lockage.plan.difference import Change, ChangeKind, Origin, action_changes
from lockage.recipe.modes import Mode

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
REFS = st.builds(BlobRef.of, st.binary(max_size=4))
ACTIONS = st.builds(
    Action,
    arguments=st.lists(TEXTS, min_size=1, max_size=4).map(tuple),
    variables=st.dictionaries(st.text("ABC_", min_size=1, max_size=4), TEXTS, max_size=4).map(lambda found: tuple(sorted(found.items()))),
    outputs=st.sets(st.sampled_from(["a", "b/c", "ü", "a.b"]).map(RelPath)).map(lambda found: tuple(sorted(found, key=str.encode))),
    workspace=REFS,
    root=st.builds(RootRef, tree=REFS, metadata=REFS.map(lambda ref: ref.digest)),
    cpus=st.integers(1, 64),
    architecture=st.sampled_from(["amd64", "arm64"]),
    modes=st.sets(st.sampled_from(list(Mode))).map(lambda found: tuple(sorted(found))),
    preload=st.none() | REFS.map(lambda ref: ref.digest),
)


def stored(action: Action) -> dict[BlobRef, bytes]:
    encoded = action.encode()
    return {encoded.ref: encoded.action} | {BlobRef.of(data): data for data in (encoded.command, action.input_root)}


@given(ACTIONS)
def test_an_action_that_is_read_is_the_one_that_was_written(action: Action) -> None:
    assert read_action(action.encode().ref, stored(action).__getitem__) == action


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x0a\x00\x0a\x00", b"{}"])
def test_what_is_no_action_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_action(BlobRef.of(data), lambda _: data)


ACTION = Action(
    arguments=("/bin/sh", "-euc", "make"),
    variables=(("CFLAGS", "-O2"), ("LOCKAGE_FLAG_NEW", "0"), ("LOCKAGE_VERSION", "1"), ("TAR_OPTIONS", "x")),
    outputs=(RelPath("dist"),),
    workspace=BlobRef.of(b""),
    root=RootRef(tree=BlobRef.of(b"root"), metadata=Digest.of(b"metadata")),
    cpus=1,
    architecture="amd64",
)
NOTHING = Tree(())


@pytest.mark.parametrize(
    ("fields", "kind", "name", "before", "after"),
    [
        ({"arguments": ("/bin/sh", "-euc", "make all")}, "command", "", "make", "make all"),
        ({"arguments": ("make", "-j")}, "command", "", "make", "make -j"),
        ({"variables": (*ACTION.variables, ("X", "1"))}, "variable", "X", None, "1"),
        ({"variables": ACTION.variables[1:]}, "variable", "CFLAGS", "-O2", None),
        ({"variables": (*ACTION.variables[:1], ("LOCKAGE_FLAG_NEW", "1"), *ACTION.variables[2:])}, "flag", "LOCKAGE_FLAG_NEW", "0", "1"),
        ({"variables": (*ACTION.variables[:2], ("LOCKAGE_VERSION", "2"), ACTION.variables[3])}, "stamp", "LOCKAGE_VERSION", "1", "2"),
        ({"variables": ACTION.variables[:3]}, "prevention", "TAR_OPTIONS", "x", None),
        ({"variables": (*ACTION.variables, ("TZ", "UTC"))}, "contract", "TZ", None, "UTC"),
        ({"outputs": (RelPath("dist"), RelPath("log"))}, "outputs", "", "dist", "dist log"),
        ({"cpus": 2}, "cpus", "", "1", "2"),
        ({"architecture": "arm64"}, "architecture", "", "amd64", "arm64"),
        ({"modes": (Mode.SINGLE_CPU,)}, "modes", "", None, "single-cpu"),
        ({"contract": 2}, "contract", "", "1", "2"),
    ],
)
def test_each_part_of_an_action_has_its_word(
    fields: dict[str, object], kind: str, name: str, before: str | None, after: str | None
) -> None:
    other = msgspec.structs.replace(ACTION, **fields)
    found = action_changes(ACTION, other, (NOTHING, NOTHING), ())
    assert found == (Change(kind=ChangeKind(kind), name=name, before=before, after=after),)


def test_files_are_told_by_whose_they_are() -> None:
    def file(path: str, data: bytes, *, executable: bool = False) -> FileNode:
        return FileNode(RelPath(path), BlobRef.of(data), executable)

    before = Tree.of([file("src/a", b"1"), file("dist/x", b"1"), file("same", b"1"), LinkNode(RelPath("link"), "a"), file("tool", b"1")])
    after = Tree.of(
        [
            *(file("src/b", b"2"), file("dist/x", b"2"), file("same", b"1"), file("tool", b"1", executable=True)),
            *(file("data", b"d"), file(".cargo/vendor/c", b"c"), LinkNode(RelPath("link"), "b"), Directory(RelPath("empty"))),
        ]
    )
    origins = (
        Origin(path=RelPath("dist"), kind=ChangeKind.NEED, step="package"),
        Origin(path=RelPath("data"), kind=ChangeKind.FETCH),
        Origin(path=RelPath(".cargo"), kind=ChangeKind.CRATE),
    )
    found = action_changes(ACTION, ACTION, (before, after), origins)
    one, two = Digest.of(b"1"), Digest.of(b"2")
    assert [(str(change.kind), change.name, change.before, change.after, change.step) for change in found] == [
        ("input", "empty", None, "directory", None),
        ("input", "link", "-> a", "-> b", None),
        ("input", "src/a", one, None, None),
        ("input", "src/b", None, two, None),
        ("input", "tool", one, f"{one} executable", None),
        ("output", "dist/x", one, two, "package"),
        ("fetch", "data", None, Digest.of(b"d"), None),
        ("crate", ".cargo/vendor/c", None, Digest.of(b"c"), None),
    ]
