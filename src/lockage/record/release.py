"""A release: the closed, immutable set of artifacts of one project, version and build number (docs/formats/release.md).

Invariants: equal releases have equal bytes; artifacts are sorted by published name; published names differ even where case
does not count. The platform and the build number are in published names only, never in an artifact's bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import InvalidDocument, canonical, canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.name import ProjectName, StepName, Version
from lockage.record.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.record.artifact import Artifact

__all__ = ["RELEASE_SCHEMA", "Release", "ReleaseArtifact", "Unpublishable", "artifact_set", "close_release", "published_name"]

RELEASE_SCHEMA: Literal["lockage-release/1"] = "lockage-release/1"
#: The longest file name that common file systems hold, in bytes.
_LONGEST = 255
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_WHEEL = re.compile(r"[A-Za-z0-9._]+-[A-Za-z0-9._+!]+(-[0-9][A-Za-z0-9_.]*)?-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl")


class Unpublishable(Usage):
    """Two artifacts would be published under one name, or an artifact's name cannot be published."""

    code = "unpublishable"
    hint = "Give the artifacts named other file names in the recipe."


class ReleaseArtifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One artifact of a release under its published name; ``built_name`` is what the build called it."""

    name: str
    built_name: str
    sha256: Digest
    size: int
    content_digest: Digest
    step: StepName

    @property
    def ref(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document that a release is; ``recipe`` and ``lock`` are digests, ``build`` counts from 1."""

    schema: Literal["lockage-release/1"] = RELEASE_SCHEMA
    project: ProjectName
    version: Version
    build: int
    source: Source
    recipe: Digest
    lock: Digest
    artifacts: tuple[ReleaseArtifact, ...]

    def encode(self) -> bytes:
        """The canonical bytes; their sha256 is the release's digest."""
        return canonical_of(self)

    @property
    def digest(self) -> Digest:
        return Digest.of(self.encode())

    @property
    def artifact_set(self) -> Digest:
        """What makes two builds of one version the same release; see :func:`artifact_set`."""
        return artifact_set((item.built_name, item.ref) for item in self.artifacts)

    @classmethod
    def decode(cls, data: bytes) -> Release:
        """Read a release document; raises :class:`InvalidDocument` unless it is canonical and keeps this module's invariants."""
        found = decode(data, cls)
        if found.encode() != data:
            raise InvalidDocument("a release document is not in canonical form")
        names = [item.name for item in found.artifacts]
        if names != sorted(names) or found.build < 1 or any(item.size < 0 for item in found.artifacts):
            raise InvalidDocument("a release's artifacts are out of order, or a number in it is out of range")
        try:
            _check_distinct((item.name, item.built_name) for item in found.artifacts)
        except Unpublishable as error:
            raise InvalidDocument(error.message) from error
        return found


def artifact_set(artifacts: Iterable[tuple[str, BlobRef]]) -> Digest:
    """The digest of the canonical list of [built name, sha256, size], sorted: the same artifacts again are the same release."""
    return Digest.of(canonical(sorted([name, str(ref.digest), ref.size] for name, ref in artifacts)))


def published_name(project: ProjectName, version: Version, build: int, platform: str, built_name: str) -> str:
    """The name that an artifact gets in a release: a wheel and the project's own sdist keep theirs, all else is prefixed.

    Raises :class:`Unpublishable` for a wheel whose name is not a wheel's, and for a name too long.
    """
    base = built_name.rpartition("/")[2]
    if base.endswith(".whl"):
        if not _WHEEL.fullmatch(base):
            raise Unpublishable(f"{built_name!r} is not a wheel's file name (NAME-VERSION-PYTHON-ABI-PLATFORM.whl)", artifact=built_name)
        name = base
    elif _is_sdist(base, project, version):
        name = base
    else:
        name = _UNSAFE.sub("_", f"{project}-{version}-{build}-{platform}-{base.lstrip('.') or '_'}")
    if len(name.encode()) > _LONGEST:
        raise Unpublishable(f"the published name of {built_name!r} is longer than {_LONGEST} bytes", artifact=built_name, name=name)
    return name


def _is_sdist(base: str, project: ProjectName, version: Version) -> bool:
    """Whether a file name is `NAME-VERSION.tar.gz` (or .zip) of this project and version."""
    stem = base.removesuffix(".tar.gz") if base.endswith(".tar.gz") else base.removesuffix(".zip")
    name, dash, text = stem.rpartition("-")
    if stem == base or not dash or re.sub(r"[-_.]+", "-", name).lower() != project:
        return False
    if text == version:
        return True
    from packaging.version import InvalidVersion
    from packaging.version import Version as Pep440

    try:
        return Pep440(text) == Pep440(version)
    except InvalidVersion:
        return False


def close_release(
    artifacts: Sequence[Artifact],
    *,
    project: ProjectName,
    version: Version,
    build: int,
    platform: str,
    source: Source,
    recipe: Digest,
    lock: Digest,
) -> Release:
    """The release that these artifacts are; raises :class:`Unpublishable` if there are none, or two would share a name."""
    if not artifacts:
        raise Unpublishable(f"{project} {version} has no artifacts", hint="Declare artifacts in a build step of the recipe.")
    published = [
        ReleaseArtifact(
            name=published_name(project, version, build, platform, artifact.name),
            built_name=artifact.name,
            sha256=artifact.blob.digest,
            size=artifact.blob.size,
            content_digest=artifact.content_digest,
            step=artifact.step,
        )
        for artifact in artifacts
    ]
    _check_distinct((item.name, item.built_name) for item in published)
    return Release(
        project=project,
        version=version,
        build=build,
        source=source,
        recipe=recipe,
        lock=lock,
        artifacts=tuple(sorted(published, key=lambda item: item.name)),
    )


def _check_distinct(names: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, built in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise Unpublishable(f"{name!r} is not a file name", name=name, artifact=built)
        other = seen.get(name.casefold())
        if other is not None:
            raise Unpublishable(f"{built!r} and {other!r} cannot both be published as {name!r}", name=name, artifact=built, other=other)
        seen[name.casefold()] = built
    if not seen:
        raise Unpublishable("a release has no artifacts", hint="Declare artifacts in a build step of the recipe.")
