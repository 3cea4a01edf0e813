"""Whether an index of Python packages would take an artifact, told from its name and bytes; and what was taken into a wheel.

Only what an index refuses, or installs wrongly, is noted. How a description in reStructuredText renders is not told here: that takes
a renderer (docs/recipe.md has a check step with one).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.stabilize.model import ArchiveKind, MemberKind, archive_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.utils import NormalizedName
    from packaging.version import Version as Pep440

    from lockage.stabilize.member import Member

__all__ = ["EXAMINATION", "Examined", "Note", "Obstacle", "examine", "remedy"]

#: The number of this examination; to be raised when the same bytes are to get other notes, as notes are remembered.
EXAMINATION = 1
#: setuptools before 77 wrote this field of metadata 2.4 into older metadata; much that is published has it, and indexes take it.
_EARLY = "license-file"


class Obstacle(StrEnum):
    """Why an index would not take an artifact."""

    LINUX_TAG = "linux-tag"
    WHEEL_NAME = "wheel-name"
    SDIST_NAME = "sdist-name"
    LOCAL_VERSION = "local-version"
    METADATA = "metadata"


_REMEDIES = {
    Obstacle.LINUX_TAG: "To publish it on an index, repair it in a step of its own (docs/recipe.md).",
    Obstacle.WHEEL_NAME: "Have the build backend name the wheel NAME-VERSION-PYTHON-ABI-PLATFORM.whl, by its own metadata.",
    Obstacle.SDIST_NAME: "Use a newer build backend, which names sdists as PEP 625 says.",
    Obstacle.LOCAL_VERSION: "Build a tagged commit, or give the project a version without `+`.",
    Obstacle.METADATA: "Correct the project's metadata as named, in pyproject.toml or where its build backend reads it.",
}


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reason why an index would not take an artifact; ``reason`` is a sentence without the artifact's name."""

    code: Obstacle
    artifact: str
    reason: str


class Examined(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found of one artifact; ``grafted`` are libraries that a repair took into it. ``package``: it is a wheel or an sdist."""

    artifact: str
    package: bool
    notes: tuple[Note, ...] = ()
    grafted: tuple[str, ...] = ()


def remedy(code: Obstacle, *, command: str | None = None) -> str:
    """What to do; ``command`` is the one that repairs wheels, if there is one."""
    if code is Obstacle.LINUX_TAG and command is not None:
        return f"To publish it on an index: `{command}` gives it a manylinux tag."
    return _REMEDIES[code]


def examine(name: str, data: bytes) -> Examined:
    """Judge one artifact by its file name and bytes; what is neither a wheel nor an sdist gets no notes. Raises nothing."""
    from lockage.stabilize.content import contents_of  # what was examined before needs no reader

    kind = archive_kind(name)
    if kind is None or kind is ArchiveKind.GZIP:
        return Examined(artifact=name, package=False)
    members = contents_of(name, data).members or ()
    if kind is ArchiveKind.WHEEL:
        notes = _wheel(name, members)
        return Examined(artifact=name, package=True, notes=_as_notes(name, notes), grafted=_grafted(name, members))
    metadata = _top(members, "PKG-INFO")
    if metadata is None:
        return Examined(artifact=name, package=False)
    return Examined(artifact=name, package=True, notes=_as_notes(name, _sdist(name, metadata)))


def _as_notes(name: str, found: Iterable[tuple[Obstacle, str]]) -> tuple[Note, ...]:
    return tuple(Note(code=code, artifact=name, reason=reason) for code, reason in found)


def _grafted(name: str, members: Sequence[Member]) -> tuple[str, ...]:
    """auditwheel puts libraries into NAME.libs beside the packages (its ``--lib-sdir``)."""
    folder = f"{name.partition('-')[0]}.libs/"
    found = (member.path.removeprefix(folder) for member in members if member.kind is MemberKind.FILE and member.path.startswith(folder))
    return tuple(sorted(found))


def _top(members: Sequence[Member], file: str, folder: str = "") -> bytes | None:
    """A file directly in the one top folder, whose name ends with ``folder``; None if it is not there or cannot be unpacked."""
    from lockage.base.errors import StepFailed
    from lockage.stabilize.errors import Unhandled

    for member in members:
        top, slash, rest = member.path.partition("/")
        if slash and rest == file and top.endswith(folder) and member.kind is MemberKind.FILE:
            try:
                return member.read()
            except (StepFailed, Unhandled):
                return None
    return None


def _wheel(name: str, members: Sequence[Member]) -> Iterator[tuple[Obstacle, str]]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # slow to import

    try:
        project, version, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename as error:
        yield Obstacle.WHEEL_NAME, f"it is not named as a wheel: {error}"
        return
    plain = sorted({tag.platform for tag in tags if tag.platform.startswith("linux_")})
    if plain:
        yield Obstacle.LINUX_TAG, f"no index takes the plain tag {plain[0]}, which does not say which systems the wheel runs on"
    if version.local:
        yield Obstacle.LOCAL_VERSION, f"its version {version} has a local part (+{version.local}), which a public index refuses"
    metadata = _top(members, "METADATA", ".dist-info")
    if metadata is None:
        yield Obstacle.METADATA, "it holds no METADATA that can be read"
        return
    yield from _metadata(metadata, project, version)


def _sdist(name: str, metadata: bytes) -> Iterator[tuple[Obstacle, str]]:
    from packaging.metadata import parse_email
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    raw, _ = parse_email(metadata)
    project = canonicalize_name(raw.get("name", ""))
    try:
        version = Version(raw.get("version", ""))
    except InvalidVersion:
        yield Obstacle.METADATA, f"PKG-INFO has no version of PEP 440: {raw.get('version', '')[:80]!r}"
        return
    expected = f"{project.replace('-', '_')}-{version}.tar.gz"
    if name != expected:
        yield Obstacle.SDIST_NAME, f"by PEP 625 its name is {expected}"
    if version.local:
        yield Obstacle.LOCAL_VERSION, f"its version {version} has a local part (+{version.local}), which a public index refuses"
    yield from _metadata(metadata, project, version)


def _metadata(data: bytes, project: NormalizedName, version: Pep440) -> Iterator[tuple[Obstacle, str]]:
    """What the reference implementation of the core metadata specification finds wrong."""
    from packaging.metadata import Metadata
    from packaging.utils import canonicalize_name

    try:
        found = Metadata.from_email(data)
    except ExceptionGroup as group:
        faults = [(getattr(error, "field", ""), str(error)) for error in group.exceptions]
        reasons = [f"{field}: {text}" if field else text for field, text in faults if not (field == _EARLY and "introduced" in text)]
        if reasons:
            yield Obstacle.METADATA, f"its metadata is not valid: {'; '.join(reasons)}"
        return
    if (canonicalize_name(found.name), found.version) != (project, version):
        yield Obstacle.METADATA, f"its metadata says {found.name} {found.version}, its file name {project} {version}"
