"""The store looked over: how much it holds, and whether all of it is still what was put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, read_tree
from lockage.ports import StoreUnreadable, StoreUnwritable
from lockage.ports.storage import KeptKind
from lockage.record.event import Phase
from lockage.work.govern import check_ledger
from lockage.work.kept import Keeping

if TYPE_CHECKING:
    from lockage.ports.storage import Damage, Heard
    from lockage.record.result import ActionResult
    from lockage.work.services import Services

__all__ = ["Broken", "StoreCheck", "StoreSurvey", "check_store", "survey_store"]


class StoreSurvey(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds, where it is, and the bytes that its disk has left."""

    place: str
    kinds: tuple[KeptKind, ...]
    free: int

    @property
    def size(self) -> int:
        return sum(kind.size for kind in self.kinds)


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not hold: what it is for, as far as the store still knows, and what brings it back."""

    kind: str
    name: str
    what: str
    aside: str | None = None
    used: tuple[str, ...] = ()
    remedy: str


class StoreCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looked at, in number and bytes, by kind; what is broken; and how many results of actions count no more."""

    checked: dict[str, tuple[int, int]]
    broken: tuple[Broken, ...]
    stale_results: int

    @property
    def whole(self) -> bool:
        return not self.broken


_REMEDIES = {
    "action": "nothing: the step runs again when it is wanted",
    "root": "nothing: it is put together anew from its packages when a step needs it; `lockage build` does",
    "run": "nothing: a record is information, no release and no evidence is lost with it",
    "ledger": "restore ledger.db from a copy you trust; `lockage ledger verify` names the first fault",
}


def survey_store(services: Services) -> StoreSurvey:
    """What the store holds."""
    return StoreSurvey(place=services.place, kinds=services.storage.kinds(), free=services.storage.free())


def check_store(services: Services, heard: Heard = lambda _: None) -> StoreCheck:
    """Read everything again and set aside what is broken; may run beside builds. ``heard`` hears of bytes that were read.

    Raises StoreUnreadable, StoreUnwritable.
    """
    services.tell(Phase(text="hashing every blob"))
    audits = {"blob": services.blobs.audit(heard)}
    services.tell(Phase(text="comparing every root with what was put together"))
    audits["root"] = services.roots.audit(heard)
    audits["action"] = services.cache.audit(heard)
    audits["run"] = services.runs.audit(heard)
    services.tell(Phase(text="proving the ledger, and looking for what it names"))
    entries, faults = _ledger(services)
    keeping = Keeping(services)
    broken = [_broken(kind, damage, keeping) for kind, audit in audits.items() for damage in audit.damaged]
    broken += [Broken(kind="ledger", name="ledger.db", what=fault, remedy=_REMEDIES["ledger"]) for fault in faults]
    gone = {Digest(damage.name) for damage in audits["blob"].damaged if len(damage.name) == len(Digest.of(b""))}
    broken += [
        Broken(kind="blob", name=digest, what="is missing", used=tuple(uses), remedy=keeping.remedy(digest))
        for digest, uses in keeping.lasting.items()
        if digest not in gone and services.blobs.locate(digest) is None
    ]
    checked = {kind: (audit.count, audit.size) for kind, audit in audits.items()} | {"ledger": (entries, 0)}
    stale = sum(not _whole(services, result) for _, result in services.cache.entries())
    return StoreCheck(checked=checked, broken=tuple(broken), stale_results=stale)


def _ledger(services: Services) -> tuple[int, list[str]]:
    """How many entries the ledger has, and what is wrong with it."""
    try:
        if services.ledger.head() is None:
            return 0, []
        return check_ledger(services).size, []
    except (StoreUnreadable, StoreUnwritable):
        raise  # the disk's fault and not the ledger's
    except LockageError as error:
        return 0, [error.message]


def _broken(kind: str, damage: Damage, keeping: Keeping) -> Broken:
    used: tuple[str, ...] = ()
    remedy = _REMEDIES.get(kind, "")
    if kind == "blob":
        try:
            digest = Digest(damage.name)
        except ValueError:
            return Broken(
                kind=kind, name=damage.name, what="is no blob", aside=damage.aside, remedy="nothing: lockage did not put it there"
            )
        used, remedy = tuple(keeping.uses(digest)), keeping.remedy(digest)
    return Broken(kind=kind, name=damage.name, what=damage.what, aside=damage.aside, used=used, remedy=remedy)


def _whole(services: Services, result: ActionResult) -> bool:
    """Whether everything that a result refers to is present; the bytes were hashed before."""
    blobs = services.blobs
    if not blobs.has(result.log) or not blobs.has(result.outputs):
        return False
    try:
        return all(blobs.has(node.blob) for node in read_tree(result.outputs, blobs.get) if isinstance(node, FileNode))
    except LockageError:
        return False
