"""What differs between two locked environments, and what a declaration and a lock disagree in."""

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import HostBase, LockedImage, OsBase
from lockage.environment.declaration import Declaration
from lockage.environment.difference import FileChangeKind, ItemChange, ItemKind, environment_difference, file_changes
from lockage.environment.disagreement import disagreements
from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedWheel, RootRef
from lockage.environment.root import Entry, Kind

BOOKWORM = OsBase(distribution="debian", suite="bookworm")


def package(name: str, version: str, data: bytes = b"") -> LockedPackage:
    ref = BlobRef.of(data)
    return LockedPackage(
        name=name, version=version, architecture="amd64", path=RelPath(f"pool/{name}.deb"), size=ref.size, sha256=ref.digest
    )


def wheel(name: str, version: str) -> LockedWheel:
    return LockedWheel(name=name, version=version, file=RelPath(f"{name}.whl"), size=0, sha256=Digest.of(b""))


LOCKED = LockedEnvironment(
    declaration=Digest.of(b""),
    os=BOOKWORM,
    architecture="amd64",
    release_date="2026-07-11T10:16:37Z",
    release_sha256=Digest.of(b""),
    root=RootRef(tree=BlobRef.of(b"tree"), metadata=Digest.of(b"metadata")),
    packages=(package("dash", "0.5"), package("gcc", "4:12.2.0-3"), package("libc6", "2.36")),
    python=(wheel("setuptools", "80.1"),),
    instruments=(package("locales", "2.36"),),
)


def test_equal_environments_do_not_differ() -> None:
    found = environment_difference(LOCKED, LOCKED)
    assert (found.fields, found.items, found.same_root) == ((), (), True)


def test_two_images_of_one_index_are_told_apart_and_a_host_has_no_realiser() -> None:
    def image(manifest: bytes) -> LockedEnvironment:
        found = LockedImage(name="base", index=BlobRef.of(b"index"), manifest=BlobRef.of(manifest), config=BlobRef.of(b"c"), layers=())
        root = RootRef(tree=BlobRef.of(manifest), metadata=Digest.of(b"metadata"))
        return LockedEnvironment(declaration=Digest.of(b""), image=found, architecture="amd64", root=root, realiser=2)

    fields = {change.field: (change.a, change.b) for change in environment_difference(image(b"one"), image(b"two")).fields}
    assert fields.keys() == {"manifest", "root"}
    assert fields["manifest"] == tuple(f"sha256:{Digest.of(one)[:12]}" for one in (b"one", b"two"))
    host = LockedEnvironment(declaration=Digest.of(b""), host=HostBase(), architecture="amd64")
    (realiser,) = [change for change in environment_difference(image(b"one"), host).fields if change.field == "realiser"]
    assert (realiser.a, realiser.b) == ("2", "")


def test_packages_and_wheels_are_added_removed_changed_and_made_anew() -> None:
    other = msgspec.structs.replace(
        LOCKED,
        root=RootRef(tree=BlobRef.of(b"other"), metadata=Digest.of(b"metadata")),
        packages=(package("gcc", "4:14"), package("libc6", "2.36", b"other bytes"), package("make", "4.3")),
        python=(),
    )
    found = environment_difference(LOCKED, other)
    assert found.items == (
        ItemChange(kind=ItemKind.PACKAGE, name="dash", a="0.5", b=None),
        ItemChange(kind=ItemKind.PACKAGE, name="gcc", a="4:12.2.0-3", b="4:14"),
        ItemChange(kind=ItemKind.PACKAGE, name="libc6", a="2.36", b="2.36"),
        ItemChange(kind=ItemKind.PACKAGE, name="make", a=None, b="4.3"),
        ItemChange(kind=ItemKind.WHEEL, name="setuptools", a="80.1", b=None),
    )
    assert not found.same_root
    assert [change.field for change in found.fields] == ["root"]


def test_what_steps_cannot_see_leaves_the_root_the_same() -> None:
    other = msgspec.structs.replace(LOCKED, release_date="2026-09-01T00:00:00Z", instruments=(package("locales", "2.37"),))
    found = environment_difference(LOCKED, other)
    assert found.same_root
    assert [change.field for change in found.fields] == ["release"]
    assert [item.kind for item in found.items] == ["instrument"]


def file(path: str, data: bytes = b"", mode: int = 0o644, gid: int = 0) -> Entry:
    ref = BlobRef.of(data)
    return Entry(path=RelPath(path), kind=Kind.FILE, mode=mode, size=ref.size, sha256=ref.digest, gid=gid)


def link(path: str, target: str) -> Entry:
    return Entry(path=RelPath(path), kind=Kind.LINK, mode=0o777, target=target)


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        (file("a"), None, FileChangeKind.ONLY_IN_A),
        (None, file("a"), FileChangeKind.ONLY_IN_B),
        (file("a"), link("a", "b"), FileChangeKind.KIND),
        (file("a"), file("a", b"x"), FileChangeKind.CONTENT),
        (link("a", "b"), link("a", "c"), FileChangeKind.TARGET),
        (file("a"), file("a", mode=0o755), FileChangeKind.MODE),
        (file("a"), file("a", gid=8), FileChangeKind.OWNER),
    ],
)
def test_files_differ_in_one_thing(a: Entry | None, b: Entry | None, kind: FileChangeKind) -> None:
    same = file("same")
    (found,) = file_changes([entry for entry in (same, a) if entry], [entry for entry in (b, same) if entry])
    assert (found.path, found.kind) == ("a", kind)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"os": OsBase(distribution="debian", suite="trixie")}, ["os is debian:trixie, locked is debian:bookworm"]),
        ({"packages": ("gcc", "dash")}, []),
        ({"packages": ("make | dash",)}, []),
        ({"packages": ("make",)}, ["package make: not locked by that name"]),
        ({"packages": ("libc6 (>= 2.40)",)}, ["package libc6 (>= 2.40): locked is libc6 2.36"]),
        ({"packages": ("wine [i386]", "not a term (")}, []),
        ({"python": ("Setuptools >= 80", 'tomli; python_version < "3.11"')}, []),
        ({"python": ("setuptools < 80",)}, ["requirement setuptools < 80: locked is 80.1"]),
        ({"python": ("flit-core", "not a requirement!")}, ["requirement flit-core: not locked"]),
    ],
)
def test_a_declaration_and_a_lock_disagree(declared: dict[str, tuple[str, ...]], expected: list[str]) -> None:
    declaration = msgspec.structs.replace(Declaration(os=BOOKWORM), **declared)
    assert list(disagreements(declaration, LOCKED)) == expected
