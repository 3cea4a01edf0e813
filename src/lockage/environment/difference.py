"""What differs between two locked environments: in what they are made of, and in the files of their roots."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath
from lockage.environment.base import HostBase, OsBase
from lockage.environment.root import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.base.digest import Digest
    from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedSdist, LockedWheel
    from lockage.environment.root import Entry

    _Item = LockedPackage | LockedWheel | LockedSdist

__all__ = [
    "EnvironmentDifference",
    "FieldChange",
    "FileChange",
    "FileChangeKind",
    "ItemChange",
    "ItemKind",
    "environment_difference",
    "file_changes",
]


class ItemKind(StrEnum):
    """Which part of a lock an item is of."""

    PACKAGE = "package"
    WHEEL = "wheel"
    SDIST = "sdist"
    INSTRUMENT = "instrument"


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about the whole environment that is not the same: its base, architecture, Release or root."""

    field: str
    a: str
    b: str


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """A package that one side lacks (its version there is None) or has otherwise; equal versions: other bytes of one version."""

    kind: ItemKind
    name: str
    a: str | None
    b: str | None


class FileChangeKind(StrEnum):
    """In what a path of two roots differs; the first that applies."""

    ONLY_IN_A = "only-in-a"
    ONLY_IN_B = "only-in-b"
    KIND = "kind"
    CONTENT = "content"
    TARGET = "target"
    MODE = "mode"
    OWNER = "owner"


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One path of two roots that is not the same in both."""

    path: RelPath
    kind: FileChangeKind


class EnvironmentDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs; ``files`` is None if roots were not looked into."""

    fields: tuple[FieldChange, ...] = ()
    items: tuple[ItemChange, ...] = ()
    files: tuple[FileChange, ...] | None = None

    @property
    def same_root(self) -> bool:
        """Whether steps see the same: what only verification or information needs does not count."""
        return all(change.field != "root" for change in self.fields)


def environment_difference(a: LockedEnvironment, b: LockedEnvironment) -> EnvironmentDifference:
    """What two locks say differently of an environment; the root, its packages, wheels and instruments, by name."""
    facts = (
        ("os" if isinstance(a.base, OsBase) and isinstance(b.base, OsBase) else "base", str(a.base), str(b.base)),
        ("path", _path(a), _path(b)),
        ("architecture", a.architecture, b.architecture),
        ("suites", _suites(a), _suites(b)),
        ("release", _release(a), _release(b)),
        *_builders(a, b),
        ("manifest", _manifest(a), _manifest(b)),
        ("realiser", _realiser(a), _realiser(b)),
        ("root", f"{a.root.tree.digest} {a.root.metadata}", f"{b.root.tree.digest} {b.root.metadata}"),
    )
    return EnvironmentDifference(
        fields=tuple(FieldChange(field=field, a=one, b=two) for field, one, two in facts if one != two),
        items=(
            *_item_changes(ItemKind.PACKAGE, a.packages, b.packages),
            *_item_changes(ItemKind.WHEEL, a.python, b.python),
            *_item_changes(ItemKind.SDIST, a.sdists, b.sdists),
            *_item_changes(ItemKind.INSTRUMENT, a.instruments, b.instruments),
        ),
    )


def _path(environment: LockedEnvironment) -> str:
    """The folders that a host is searched in before the usual ones."""
    return ":".join(environment.host.path) if isinstance(environment.host, HostBase) else ""


def _suites(environment: LockedEnvironment) -> str:
    """The suites that packages came from, with those that were out of date marked."""
    told = [f"{suite.suite} (stale)" if suite.stale else suite.suite for suite in environment.suites]
    if told:
        return ", ".join(told)
    return environment.os.suite if isinstance(environment.os, OsBase) else ""


def _release(environment: LockedEnvironment) -> str:
    return environment.release_date if isinstance(environment.release_date, str) else ""


def _manifest(environment: LockedEnvironment) -> str:
    """Which of an index's images it begins with; nothing where the base says it."""
    image = environment.pulled
    return "" if image is None or isinstance(image.index, msgspec.UnsetType) else f"sha256:{image.manifest.digest[:12]}"


def _realiser(environment: LockedEnvironment) -> str:
    """The rules that its root is put together by; none where there is no root."""
    return "" if isinstance(environment.host, HostBase) else str(environment.realiser)


def _builders(a: LockedEnvironment, b: LockedEnvironment) -> Iterable[tuple[str, str, str]]:
    """For every project that both build, the roots that they build it in."""
    before, after = ({sdist.name: one.builders.get(sdist.builder) for sdist in one.sdists} for one in (a, b))
    for name in sorted(before.keys() & after.keys()):
        one, two = before[name], after[name]
        yield f"builder of {name}", _root(one), _root(two)


def _root(builder: LockedEnvironment | None) -> str:
    return "none" if builder is None else builder.root.tree.digest[:12]


def _item_changes(kind: ItemKind, a: Sequence[_Item], b: Sequence[_Item]) -> Iterable[ItemChange]:
    before, after = _by_name(a), _by_name(b)
    for name in sorted(before.keys() | after.keys()):
        one, two = before.get(name), after.get(name)
        if one != two:
            yield ItemChange(kind=kind, name=name, a=one[0] if one else None, b=two[0] if two else None)


def _by_name(items: Sequence[_Item]) -> dict[str, tuple[str, Digest]]:
    return {item.name: (item.version, item.sha256) for item in items}


def file_changes(a: Iterable[Entry], b: Iterable[Entry]) -> tuple[FileChange, ...]:
    """The paths of two roots that are not the same in both, sorted."""
    before, after = {entry.path: entry for entry in a}, {entry.path: entry for entry in b}
    changes = []
    for path in sorted(before.keys() | after.keys()):
        kind = _changed(before.get(path), after.get(path))
        if kind is not None:
            changes.append(FileChange(path=path, kind=kind))
    return tuple(changes)


def _changed(a: Entry | None, b: Entry | None) -> FileChangeKind | None:
    if a is None or b is None:
        return FileChangeKind.ONLY_IN_B if a is None else FileChangeKind.ONLY_IN_A
    if a.kind is not b.kind:
        return FileChangeKind.KIND
    if a.kind is Kind.FILE and a.sha256 != b.sha256:
        return FileChangeKind.CONTENT
    if a.target != b.target:
        return FileChangeKind.TARGET
    if a.mode != b.mode:
        return FileChangeKind.MODE
    return FileChangeKind.OWNER if (a.uid, a.gid) != (b.uid, b.gid) else None
