"""Released: a closed release as what can be rebuilt: its recorded source, recipe and lock, and its artifacts as a build that is over.

Invariant: nothing but what the release names is taken, checked by its digest, from wherever it comes; the head of no branch counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.base.errors import Drift, LockageError
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, file_at, read_tree
from lockage.environment.lock import Lock
from lockage.plan.fit import PlatformNotLocked
from lockage.plan.plan import make_plan
from lockage.ports import BlobMissing, SourceRead
from lockage.recipe.model import StepKind
from lockage.recipe.wanted import AS_INFERRED, Wanted
from lockage.record.artifact import Artifact, Run
from lockage.record.version import VersionCandidates
from lockage.work.book import Book, NoStore
from lockage.work.build import Built
from lockage.work.inferred import added_in, inferred, remembered_recipe
from lockage.work.prepare import on_this_machine, read_recipe
from lockage.work.release import RELEASED_RECIPES, NoRelease, find_release, read_release, release_title

if TYPE_CHECKING:
    from lockage.catalog.model import ReleaseRecord
    from lockage.plan.plan import Plan
    from lockage.recipe.model import Recipe
    from lockage.record.release import Release
    from lockage.work.services import Services

__all__ = ["ReleaseInputDiffers", "ReleaseInputMissing", "built_of_release", "release_meant"]


class ReleaseInputMissing(LockageError):
    """What a release was made from is not in the store, so that it cannot be rebuilt from it."""

    code = "release-input-missing"
    exit_code = BlobMissing.exit_code
    hint = "Give its source by `--source` (a checkout of its commit, or its sdist) and its lock by `--lock`."


class ReleaseInputDiffers(Drift):
    """What was given to rebuild a release from is not what the release was made from."""

    code = "release-input-differs"
    hint = "The release's provenance says what it was made from (`lockage evidence list`)."


def release_meant(services: Services, text: str) -> ReleaseRecord | None:
    """The release of this store that a name means; None if it means none, and does not look as if it should.

    Raises :class:`NoRelease` for another version of a project that the store knows.
    """
    try:
        catalog = Book.open(services, make=False).catalog
    except NoStore:
        return None
    try:
        return find_release(catalog, text)
    except NoRelease:
        if text.partition("@")[0] in catalog.projects:
            raise
        return None


def built_of_release(
    services: Services, record: ReleaseRecord, *, source: str | None = None, lock: bytes | None = None, wanted: Wanted = AS_INFERRED
) -> tuple[Plan, Built]:
    """The plan that a release was made by, and its artifacts. Nothing is built.

    ``source`` and ``lock`` are where to take from what the store has not; ``wanted`` shapes a recipe that has to be inferred again.
    Raises :class:`ReleaseInputMissing`, :class:`ReleaseInputDiffers`, and what sources, recipes and locks raise.
    """
    release, title = read_release(services, record), release_title(record)
    if lock is not None:
        _take_lock(services, release, title, lock)
    _check_source(services, release, title, source)  # which may hold the lock
    locked = _lock(services, release, title)
    recipe = _recipe(services, release, title, locked, wanted)
    try:
        plan = make_plan(recipe, locked, release.source, kinds=(StepKind.BUILD,))
    except PlatformNotLocked as error:
        hint = f"Rebuild {title} on a machine of a platform that its lock holds."
        raise PlatformNotLocked(f"{title}: {error.message}", hint=hint, **error.details) from error
    now = services.clock.now()
    artifacts = tuple(
        Artifact(name=item.built_name, blob=item.ref, content_digest=item.content_digest, step=item.step, raw=item.ref)
        for item in release.artifacts
    )
    run = Run(
        project=release.project,
        source=release.source,
        recipe=release.recipe,
        lock=release.lock,
        started=now,
        finished=now,
        steps=(),
        artifacts=artifacts,
    )
    return plan, Built(run=run, run_id="")


def _take_lock(services: Services, release: Release, title: str, given: bytes) -> None:
    found = Digest.of(given)
    if found != release.lock:
        raise ReleaseInputDiffers(f"{title} was made with another lock", expected=release.lock, found=found)
    services.blobs.put(given)


def _lock(services: Services, release: Release, title: str) -> Lock:
    kept = services.blobs.locate(release.lock)
    if kept is None:
        raise ReleaseInputMissing(f"the lock that {title} was made with is not in the store", sha256=release.lock)
    return on_this_machine(services, Lock.decode(services.blobs.get(kept)))


def _check_source(services: Services, release: Release, title: str, locator: str | None) -> None:
    """See to it that the source's tree is in the store, whole."""
    if locator is not None:
        read = services.sources.read(locator)
        if read.tree != release.source.tree:
            raise ReleaseInputDiffers(
                f"{locator} is not the source that {title} was made from", expected=str(release.source.tree), found=str(read.tree)
            )
    try:
        tree = read_tree(release.source.tree, services.blobs.get)
    except BlobMissing as error:
        raise ReleaseInputMissing(f"the source of {title} is not in the store", tree=str(release.source.tree)) from error
    for node in tree:
        if isinstance(node, FileNode) and not services.blobs.has(node.blob):
            raise ReleaseInputMissing(f"{node.path} of the source of {title} is not in the store", sha256=node.blob.digest)


def _recipe(services: Services, release: Release, title: str, lock: Lock, wanted: Wanted) -> Recipe:
    kept = remembered_recipe(services, RELEASED_RECIPES, release.recipe)
    if kept is not None and kept.digest == release.recipe:
        return kept
    get = services.blobs.get
    files = {name: file_at(release.source.tree, RelPath(name), get) for name in ("lockage.toml", "lockage.lock")}
    own = files["lockage.toml"]
    read = SourceRead(
        tree=release.source.tree,
        date=release.source.date,
        origin=release.source.origin,
        versions=VersionCandidates(fallback=release.version),
        project=release.project,
        recipe=None if own is None else get(own),
        lock=lock.encode(),
    )
    if read.recipe is not None:
        found = read_recipe(services, read, read.recipe, title)
    else:
        wanted = msgspec.structs.replace(wanted, added=added_in(lock))
        found = inferred(services, read, lock, title, wanted)[0]
    if found.digest != release.recipe:
        raise ReleaseInputDiffers(
            f"the recipe that {title} was made by cannot be had again from its source: this lockage reads or infers another",
            expected=release.recipe,
            found=found.digest,
            hint="Give the `--python` and `--publishable` that it was built with, or use the lockage that its provenance names.",
        )
    return found
