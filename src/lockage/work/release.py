"""Release: close the immutable, numbered set of artifacts of one version; the ledger allots the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import Conflict, Refused, Usage
from lockage.base.name import ProjectName, Version
from lockage.evidence.predicate import PROVENANCE
from lockage.ledger.entry import ReleaseClosed
from lockage.ports import LedgerConflict
from lockage.record.release import Release, artifact_set, close_release
from lockage.record.source import DirectoryOrigin
from lockage.work.attest import record_provenance
from lockage.work.book import Book
from lockage.work.hand_over import build_project, recipe_path

if TYPE_CHECKING:
    from lockage.catalog import Catalog
    from lockage.catalog.model import ReleaseRecord
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = [
    "RELEASED_RECIPES",
    "Closed",
    "NoRelease",
    "SourceNotClean",
    "find_release",
    "named_release",
    "read_release",
    "release_project",
    "release_title",
]

_TRIES = 10
#: The kind of memo that keeps a release's recipe by its digest: to infer it again one would have to be told again what was wanted.
RELEASED_RECIPES = "released-recipe"


class SourceNotClean(Refused):
    """The source is a directory or a working copy with changes; nobody else can obtain it, so it can never be promoted."""

    code = "source-not-clean"
    hint = "Commit the changes and build again, or release an sdist."


class NoRelease(Usage):
    """No release of this store has that name."""

    code = "no-release"
    hint = "`lockage status` lists the releases; name one as PROJECT, PROJECT@VERSION, PROJECT@VERSION-BUILD or by its digest."


class BookMoved(Conflict):
    """Other processes kept appending to the ledger."""

    code = "ledger-busy"
    hint = "Run the command again."


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A closed release; ``new`` is False if these artifacts were this release already."""

    release: Release
    digest: Digest
    new: bool


def release_project(services: Services, project: Project) -> Closed:
    """Build a project (from the cache where it is known) and close its release. Raises :class:`SourceNotClean`."""
    if isinstance(project.source.origin, DirectoryOrigin):
        raise SourceNotClean(
            f"{project.recipe.project} cannot be released: {project.source.origin.reason}", reason=project.source.origin.reason
        )
    plan, built = build_project(services, project)
    chosen = artifact_set((artifact.name, artifact.blob) for artifact in built.artifacts)
    for _ in range(_TRIES):
        book = Book.open(services, make=True)
        if not _provenance_recorded(book.catalog, built):
            record_provenance(services, plan, built, recipe_path=recipe_path(project), anew=True)
            continue  # the ledger is an older copy, or another than the one that the build was recorded in
        known = book.catalog.same_artifacts(plan.recipe.project, plan.source.version, chosen)
        if known is not None:
            return Closed(release=read_release(services, known), digest=known.release, new=False)
        release = close_release(
            built.artifacts,
            project=plan.recipe.project,
            version=plan.source.version,
            build=book.catalog.next_build(plan.recipe.project, plan.source.version),
            platform=f"linux_{services.architecture}",
            source=plan.source,
            recipe=plan.recipe.digest,
            lock=plan.lock_digest,
        )
        kept = services.blobs.put_many([release.encode(), project.lock.encode()])[0]
        services.memo.put(RELEASED_RECIPES, project.recipe.digest, canonical_of(project.recipe))
        entry = ReleaseClosed(
            actor=book.actor,
            project=release.project,
            version=release.version,
            build=release.build,
            release=kept.digest,
            artifacts=release.artifact_set,
            source=release.source.digest,
            lock=release.lock,
        )
        try:
            book.append([entry])
        except LedgerConflict:
            continue  # somebody appended meanwhile; the number may be taken
        return Closed(release=release, digest=kept.digest, new=True)
    raise BookMoved(f"{plan.recipe.project} {plan.source.version} was not released: the ledger kept moving")


def _provenance_recorded(catalog: Catalog, built: Built) -> bool:
    """Whether the ledger knows of provenance of every artifact."""
    return all(any(known.predicate == PROVENANCE for known in catalog.evidence(artifact.blob.digest)) for artifact in built.artifacts)


def read_release(services: Services, record: ReleaseRecord) -> Release:
    """The document of a release. Raises what the blobs raise."""
    from lockage.ports import BlobCorrupt, BlobMissing  # named only on the way to an error

    ref = services.blobs.locate(record.release)
    if ref is None:
        raise BlobMissing(f"the document of {release_title(record)} is not in the store", sha256=record.release)
    try:
        return Release.decode(services.blobs.get(ref))
    except BlobCorrupt as error:
        raise error.naming(f"the document of {release_title(record)}") from error


def named_release(services: Services, text: str) -> Release:
    """The document of the release that people mean; see :func:`find_release`."""
    return read_release(services, find_release(Book.open(services, make=False).catalog, text))


def release_title(record: ReleaseRecord | Release) -> str:
    """How people write a release: ``shop@1.2.0-1``."""
    return f"{record.project}@{record.version}-{record.build}"


def find_release(catalog: Catalog, text: str) -> ReleaseRecord:
    """The release that people mean: PROJECT (its newest), PROJECT@VERSION, PROJECT@VERSION-BUILD, or a digest's first digits."""
    name, at, rest = text.partition("@")
    everything = [record for project in catalog.projects for record in catalog.releases(project)]
    if not at and len(text) >= 8 and all(c in "0123456789abcdef" for c in text):
        found = [record for record in everything if record.release.startswith(text)]
        if len(found) == 1:
            return found[0]
    try:
        project = ProjectName.normalised(name)
    except ValueError as error:
        raise NoRelease(f"not the name of a release: {text!r}") from error
    releases = catalog.releases(project)
    if not at and releases:
        return releases[-1]
    version, dash, build = rest.rpartition("-")
    candidates = [(rest, None)] + ([(version, int(build))] if dash and build.isdecimal() else [])
    for wanted, number in candidates:
        try:
            record = catalog.find(project, Version(wanted), number)
        except ValueError:
            continue
        if record is not None:
            return record
    known = ", ".join(release_title(record) for record in releases[-3:])
    raise NoRelease(f"there is no release {text!r}" + (f"; the newest of {project} are {known}" if known else ""), release=text)
