"""Collect garbage: what no release, channel, policy or evidence and no recent run needs is deleted from the store.

Invariants: what is needed is found before anything is deleted, and the blobs' sweep asks again before it deletes for good; records
go before the blobs that they name, so that a process that dies in between leaves nothing that names what is gone. May run beside builds:
what they have got done stays, and what they took from the cache is put back by whoever is later, the sweep or the build (``put_back``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import decode
from lockage.base.digest import BlobRef
from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.environment.lock import LockedEnvironment
from lockage.ports.storage import Swept
from lockage.record.artifact import Run
from lockage.record.event import Phase
from lockage.work.put_back import put_back
from lockage.work.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import Digest
    from lockage.base.name import ProjectName
    from lockage.work.services import Services

__all__ = ["Collected", "KeepRule", "collect_garbage"]


class KeepRule(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing that is younger than ``age`` (in seconds) goes, nor one of the last ``runs`` runs, nor the last of any project."""

    runs: int = 20
    age: int = 30 * 86400


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be, by kind; ``waiting`` goes later, as commands that run now may want it. ``runs`` stay so many."""

    gone: dict[str, Swept]
    waiting: Swept
    runs: int

    @property
    def size(self) -> int:
        return sum(swept.size for swept in self.gone.values())


class _Kept(msgspec.Struct, frozen=True):
    """The runs that stay, by id, and the ids of the others."""

    runs: dict[str, tuple[Run, BlobRef]]
    gone: tuple[str, ...]

    @property
    def actions(self) -> set[BlobRef]:
        return {step.action for run, _ in self.runs.values() for step in run.steps}


def collect_garbage(services: Services, rule: KeepRule, *, dry: bool = False) -> Collected:
    """Delete what the rule does not keep; ``dry`` only says what would go. Raises LedgerCorrupt, StoreUnwritable, StoreUnreadable."""
    before = Instant(max(services.clock.now() - rule.age, 0))
    # What a command that runs now has got done is not in the record of a run yet, however long ago it was.
    used = services.blobs.used_since()
    kept = _kept(services, rule, before)
    old = services.cache.sweep(kept.actions, before if used is None else Instant(min(before, used)), dry=dry)
    if old and not dry:
        for run_id, (run, _) in _kept(services, rule, before).runs.items():
            if run_id not in kept.runs:  # it was recorded meanwhile, and may have taken results that are gone now
                put_back(services, run)
        old = {action: size for action, size in old.items() if not services.cache.holds([action])}
    gone = {"runs": _remove_runs(services, kept, dry=dry), "results": Swept(count=len(old), size=sum(old.values()))}
    gone["memos"] = services.memo.sweep(before, dry=dry)
    services.tell(Phase(text="looking for what is needed" if dry else "looking for what is needed, and deleting the rest"))

    def needed() -> set[Digest]:
        return _needed(services, _kept(services, rule, before), set(old) if dry else set(), before)

    swept = services.blobs.sweep(needed, before, dry=dry)
    gone["blobs"] = swept.gone
    if not dry:
        services.storage.forget_locks(before)
    gone["roots"] = services.roots.sweep(_environments(services, kept), before, dry=dry)
    gone |= services.storage.sweep_copies(before, dry=dry)
    gone["damaged"] = services.storage.sweep_damaged(before, dry=dry)
    return Collected(gone=gone, waiting=swept.waiting, runs=len(kept.runs))


def _kept(services: Services, rule: KeepRule, before: Instant) -> _Kept:
    runs: dict[str, tuple[Run, BlobRef]] = {}
    gone: list[str] = []
    projects: set[ProjectName] = set()
    for run_id in reversed(services.runs.ids()):
        found = services.runs.get(run_id)
        if found is None:
            continue
        if len(runs) < rule.runs or found[0].finished >= before or found[0].project not in projects:
            runs[run_id] = found
            projects.add(found[0].project)
        else:
            gone.append(run_id)
    return _Kept(runs, tuple(gone))


def _remove_runs(services: Services, kept: _Kept, *, dry: bool) -> Swept:
    size = sum(services.runs.remove(run_id, dry=dry) for run_id in kept.gone)
    return Swept(count=len(kept.gone), size=size)


def _needed(services: Services, kept: _Kept, old: set[BlobRef], before: Instant) -> set[Digest]:
    """The blobs that must stay; ``old`` are actions whose results would go."""
    reach = Reach(services)
    reach.ledger()
    for run, log in kept.runs.values():
        reach.run(run, log)
    for lock in services.storage.known_locks(before):
        reach.lock(lock)
    for action, result in services.cache.entries():
        if action not in old or action in kept.actions:
            reach.result(result)
    return reach.digests


def _environments(services: Services, kept: _Kept) -> Iterator[LockedEnvironment]:
    """The environments of the runs that stay."""
    for ref in sorted({ref for run, _ in kept.runs.values() for ref in run.environments.values()}):
        try:
            yield decode(services.blobs.get(ref), LockedEnvironment)
        except LockageError:
            continue  # its roots can be made again
