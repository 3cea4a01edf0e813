"""Heal: what a read finds damaged or missing while something is built is brought back, and the build goes on.

A damaged blob is set aside by whoever reads it, so that it counts as missing. Then the source is read again if the blob was of it,
and what was broken off is begun again: results that are no longer whole are made anew, packages and inputs that are not there are
fetched again, artifacts are stabilized again; all else is taken from the cache. From then on everything is hashed, so that what
else is damaged is found at once. What comes to be lost a second time is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.record.artifact import Lost
from lockage.record.event import BlobsLost, Phase
from lockage.work.whole import blobs_of_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.work.outcome import Attempts
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["healed"]

#: So many different blobs are brought back one after the other; as all is hashed after the first, more means a failing disk.
_MOST = 8

T = TypeVar("T")


def healed(
    services: Services,
    project: Project,
    use: CacheUse,
    attempt: Callable[[CacheUse, Attempts], T],
    attempts: Attempts,
    loss: BlobCorrupt | BlobMissing | None,
) -> T:
    """What an attempt gives that is made after a ``loss``, or, if there was none yet, after everything was hashed; and again after others.

    Raises what the attempt raises, and BlobCorrupt or BlobMissing if nothing heals it.
    """
    met: set[str] = set()
    if loss is None:
        _recheck(services, project, attempts)
    while True:
        if loss is not None:
            digest = _digest(loss)
            if digest is None or digest in met or len(met) == _MOST:
                raise loss
            met.add(digest)
            found = Lost(what=str(loss.details.get("what", "what the build reads")), blobs=(digest,))
            attempts.lost.append(found)
            services.tell(BlobsLost(what=found.what, blobs=found.blobs))
            _read_source_again(services, project, loss)
            use = msgspec.structs.replace(use, recheck=True)
        try:
            return attempt(use, attempts)
        except (BlobCorrupt, BlobMissing) as error:
            loss = error


def _recheck(services: Services, project: Project, attempts: Attempts) -> None:
    """Hash the source and every root that is there; a damaged root is set aside, and put together anew when a step needs it."""
    services.tell(Phase(text="hashing the source, the roots and all kept results again"))
    tree = project.source.tree
    try:
        refs = list(blobs_of_tree(tree, services.blobs.get))
        gone = [] if services.blobs.vouch(refs, None) is not None else [ref.digest for ref in refs if not services.blobs.has(ref)]
    except (BlobCorrupt, BlobMissing) as error:
        gone = [found for found in [_digest(error)] if found is not None]
    if gone:
        attempts.lost.append(Lost(what="the source", blobs=tuple(gone)))
        services.tell(BlobsLost(what="the source", blobs=tuple(gone)))
        _read_source_again(services, project, BlobMissing(f"blob {gone[0]} of the source is not in the store", blob=gone[0]))
    for name, environment in sorted(project.lock.environments.items()):
        for damage in services.roots.audit(lambda _: None, environment).damaged:
            services.tell(
                Phase(text=f"the root of {name} was damaged: {damage.what}; it is set aside, and put together anew when it is needed")
            )
            attempts.lost.append(Lost(what=f"the root of environment {name}: {damage.what}", blobs=()))


def _digest(error: LockageError) -> Digest | None:
    """The blob that an error is about."""
    for detail in ("blob", "expected", "sha256"):
        try:
            return Digest(str(error.details.get(detail)).partition("/")[0])
        except ValueError:
            continue
    return None


def _read_source_again(services: Services, project: Project, error: LockageError) -> None:
    """Put the source's blobs back if any is lost; raises the error if the source is not what it was."""
    tree = project.source.tree
    try:
        if services.blobs.vouch(list(blobs_of_tree(tree, services.blobs.get)), None) is not None:
            return
    except (LockageError, ValueError):
        pass  # one of its folders is gone
    if project.locator is None or services.sources.read(project.locator).tree != tree:
        hint = "It was of the source, which has changed since it was read; build again."
        raise type(error)(error.message, hint=hint, **error.details) from error
