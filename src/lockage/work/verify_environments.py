"""Environments verified: everything that a lock names is kept, whole, and makes the root that the lock pins. Nothing is fetched."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import ExitCode
from lockage.environment.lock import UNPINNED
from lockage.ports import BlobCorrupt, BlobMissing, RootDrift
from lockage.record.event import Phase
from lockage.work.environments import items_of
from lockage.work.platforms import ForeignBuild
from lockage.work.roots import drifted, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.digest import Digest
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports.storage import Damage
    from lockage.work.environments import LockedItem
    from lockage.work.services import Services

__all__ = ["EnvironmentCheck", "Flaw", "RootState", "Unsound", "verify_environments"]


class Flaw(StrEnum):
    """In what way something is not as the lock has it."""

    MISSING = "missing"
    DAMAGED = "damaged"
    DRIFT = "drift"


class RootState(StrEnum):
    """What is known of the root of an environment: it is the lock's, it is another, or it cannot be put together from what is kept.

    The host has none, and nothing of it is pinned that could be verified.
    """

    WHOLE = "whole"
    OTHER = "other"
    UNKNOWN = "unknown"
    HOST = "host"


class Unsound(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not hold: an item of the lock, a kept layer, or the root; what is wrong with it, and what mends it."""

    kind: str
    name: str
    flaw: Flaw
    what: str
    aside: str | None = None
    remedy: str


class EnvironmentCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at of one environment, in number and bytes, and what of it does not hold."""

    name: str
    count: int
    size: int
    root: RootState
    unsound: tuple[Unsound, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Damage weighs more than what is missing or another than pinned."""
        flaws = {item.flaw for item in self.unsound}
        if Flaw.DAMAGED in flaws:
            return ExitCode.INTEGRITY
        return ExitCode.DRIFT if flaws else ExitCode.DONE


_FETCH = "`lockage env fetch` gets it again"
_FETCH_MISSING = "`lockage env fetch` gets it"
_MADE_ANEW = "nothing: it is put together anew from its packages when it is needed"
_RELOCK = (
    "if nobody edited the lock, remove the folder `roots` of the store, so that it is put together anew, and verify again; "
    "`lockage lock --upgrade` pins what the packages make now"
)


def verify_environments(services: Services, environments: Mapping[str, LockedEnvironment]) -> tuple[EnvironmentCheck, ...]:
    """Hash everything that the environments are made of, their kept layers as well, and put their roots together.

    What is damaged is set aside, so that it can be had again. Raises StoreUnreadable, StoreUnwritable, and what makes packages unusable.
    """
    seen: dict[Digest, tuple[Flaw, str, str | None] | None] = {}
    return tuple(_verified(services, name, environment, seen) for name, environment in environments.items())


def _verified(
    services: Services, name: str, environment: LockedEnvironment, seen: dict[Digest, tuple[Flaw, str, str | None] | None]
) -> EnvironmentCheck:
    items = items_of(services, environment)
    if environment.root == UNPINNED:
        return EnvironmentCheck(name=name, count=0, size=0, root=RootState.HOST)
    services.tell(Phase(text=f"environment {name}: hashing {len(items)} files"))
    for item in items:
        if item.ref.digest not in seen:
            seen[item.ref.digest] = _flaw(services, item)
    unsound = [_unsound(item, found) for item in items if (found := seen[item.ref.digest]) is not None]
    services.tell(Phase(text=f"environment {name}: comparing its root with what was put together"))
    complete = all(seen[item.ref.digest] is None for item in items if item.kind != "instrument")
    state = RootState.UNKNOWN
    made = environment
    try:
        if complete:
            made = whole(services, environment, name)
        unsound += [_layer(damage) for damage in services.roots.audit(lambda _: None, made).damaged]
        if complete:
            services.roots.realise(made)
            state = RootState.WHOLE
    except ForeignBuild:
        pass  # its packages are looked at; what a build makes of them is for a machine of that architecture to say
    except RootDrift as error:
        state = RootState.OTHER
        unsound.append(Unsound(kind="root", name=name, flaw=Flaw.DRIFT, what=drifted(services, error, environment).message, remedy=_RELOCK))
    return EnvironmentCheck(name=name, count=len(items), size=sum(item.ref.size for item in items), root=state, unsound=tuple(unsound))


def _flaw(services: Services, item: LockedItem) -> tuple[Flaw, str, str | None] | None:
    try:
        services.blobs.open(item.ref).close()
    except BlobMissing:
        return Flaw.MISSING, "is not in the store", None
    except BlobCorrupt as error:
        aside = error.details.get("quarantine")
        return Flaw.DAMAGED, f"has sha256 {error.details['found']}", aside if isinstance(aside, str) else None
    return None


def _unsound(item: LockedItem, found: tuple[Flaw, str, str | None]) -> Unsound:
    flaw, what, aside = found
    remedy = _FETCH if flaw is Flaw.DAMAGED else _FETCH_MISSING
    return Unsound(kind=item.kind, name=f"{item.name} {item.version}", flaw=flaw, what=what, aside=aside, remedy=remedy)


def _layer(damage: Damage) -> Unsound:
    return Unsound(kind="layer", name=damage.name, flaw=Flaw.DAMAGED, what=damage.what, aside=damage.aside, remedy=_MADE_ANEW)
