"""Blame: which axes make an artifact differ, in which step it began, in which bytes, by what cause, and what mends it.

Every answer is proven by rebuilds: with the axes that are named it differs, and without any one of them it does not. What
the bytes look like only decides what is tried first, and how the cause is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.compare.blame import Blame, Blamed
from lockage.compare.causes import cause_of
from lockage.compare.files import compare_files
from lockage.compare.smallest import smallest
from lockage.compare.spot import CONTENT, FAILED, MISSING, Spot, spots
from lockage.compare.trace import Mark, Trace, trace
from lockage.record.event import Phase
from lockage.stabilize.content import contents_of
from lockage.stabilize.model import MemberKind
from lockage.variation import AXES, CONTRACT, axis_of, vary
from lockage.work.rebuild import Rebuild, Rebuilder
from lockage.work.writer import steps_behind, with_processes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.work.build import Built
    from lockage.work.services import Services

__all__ = ["blame"]

#: Axes of the environment: what writes all variables down differs by each of them, and one is enough to say so.
_VARIABLES = ("environment", "ci", "desktop", "proxy", "screen", "parallelism", "cpu-features", "search-path", "variable-order")
#: Which axes to try first for what the bytes show, or for where they lie.
_SUSPECTS: dict[Mark, tuple[str, ...]] = {
    Mark.BUILD_PATH: ("build-path",),
    Mark.TEMPORARY: ("temporary-path",),
    Mark.USER: ("user", "group", "account"),
    Mark.HOME: ("home",),
    Mark.HOSTNAME: ("hostname",),
    Mark.TIMEZONE: ("timezone",),
    Mark.LOCALE: ("locale",),
    Mark.VARIABLE: _VARIABLES,
    Mark.HASH_SEED: ("hash-seed", "perl-hash-seed"),
    Mark.TIME: ("clock", "timezone", "source-times", "uptime"),
    Mark.CASE: ("locale",),
    Mark.ORDER: ("file-order", "hash-seed", "locale", "root-order", "variable-order", "perl-hash-seed"),
}
_MODES = ("umask", "source-modes")
_BY_ASPECT = {
    "mode": _MODES,
    "executable": _MODES,
    "mtime": ("clock", "source-times"),
    "uid": ("user",),
    "gid": ("user",),
    "uname": ("user",),
    "gname": ("group", "user"),
    MISSING: ("architecture", "clock", "hostname"),
}


class _Exhausted(Exception):
    """No more rebuilds are allowed."""


class _Search:
    """Rebuilds by the axes varied in them, each made once."""

    def __init__(self, services: Services, rebuilder: Rebuilder, built: Built, made: Iterable[Rebuild], most: int) -> None:
        self._services, self._rebuilder, self._built = services, rebuilder, built
        self._left = most
        self.count = 0
        self._rebuilds: dict[frozenset[str], Rebuild] = {}
        self._spots: dict[frozenset[str], tuple[Spot, ...]] = {}
        for done in made:
            self._learn(done)

    def _learn(self, done: Rebuild) -> None:
        key = frozenset(done.axes)
        if key not in self._spots or not self._spots[key]:  # of two rebuilds in one world the one that differs tells more
            self._rebuilds[key] = done
            self._spots[key] = self._differing(done)

    def _differing(self, done: Rebuild) -> tuple[Spot, ...]:
        found: list[Spot] = []
        for artifact in self._built.artifacts:
            again = done.artifact(artifact.name)
            if again is None:
                found.append(Spot(artifact=artifact.name, member="", aspect=FAILED if done.failure else MISSING))
            elif again.blob != artifact.blob:
                get = self._services.blobs.get
                found += spots(compare_files(artifact.name, get(artifact.blob), get(again.blob), structure=False))
        return tuple(found)

    @property
    def worlds(self) -> list[frozenset[str]]:
        """The sets of axes that were varied so far, smallest first."""
        return sorted(self._spots, key=lambda axes: (len(axes), sorted(axes)))

    def spots(self, axes: frozenset[str]) -> tuple[Spot, ...]:
        """What differs when exactly these axes are varied. Raises :class:`_Exhausted`."""
        if axes not in self._spots:
            if not self._left:
                raise _Exhausted
            self._left -= 1
            self.count += 1
            named = ", ".join(_in_order(axes)) if len(axes) <= _NAMED else f"{len(axes)} axes"
            self._services.tell(Phase(text=f"looking for the cause: rebuild {self.count}, varied: {named or 'nothing'}"))
            self._learn(self._rebuilder.rebuild(_in_order(axes)))
        return self._spots[axes]

    def rebuilt(self, axes: frozenset[str]) -> Rebuild:
        return self._rebuilds[axes]

    def observed(self, axes: frozenset[str]) -> Rebuild | None:
        """One more rebuild of a world, in which it is noted which process writes what; None if no rebuild is left."""
        if not self._left:
            return None
        self._left -= 1
        self.count += 1
        self._services.tell(Phase(text=f"looking for the process that wrote it: rebuild {self.count}"))
        return self._rebuilder.rebuild(_in_order(axes), observing=True)


_NAMED = 4


def blame(services: Services, plan: Plan, built: Built, made: Sequence[Rebuild], *, most: int = 60) -> Blamed:
    """Find the causes of every difference between ``built`` and the rebuilds ``made``, by at most ``most`` further rebuilds."""
    found: dict[Spot, tuple[str, ...]] = {}
    exhausted = False
    with Rebuilder(services, plan) as rebuilder:
        search = _Search(services, rebuilder, built, made, most)
        try:
            for world in [axes for axes in search.worlds if search.spots(axes)]:
                _explain(services, search, built, world, found)
        except _Exhausted:
            exhausted = True
        told = _told(services, search, plan, built, found)
        told, unobserved = with_processes(services, plan, built, told, search.observed)
    return Blamed(found=told, rebuilds=search.count, exhausted=exhausted, unobserved=unobserved)


def _explain(services: Services, search: _Search, built: Built, world: frozenset[str], found: dict[Spot, tuple[str, ...]]) -> None:
    """Give every spot of a world its axes; then leave those axes out and see whether something else makes it differ as well."""
    remaining = world
    while True:
        for spot in search.spots(remaining):
            if spot in found and (not found[spot] or set(found[spot]) <= remaining):
                continue
            within = _but_variables(remaining) if _variables(found.get(spot, ())) else remaining
            if spot not in search.spots(within):
                continue
            axes = smallest(
                lambda chosen, spot=spot: spot in search.spots(chosen),  # type: ignore[misc]  # a default in a lambda has no type
                _in_order(within),
                suspects=_suspects(services, search, built, spot, within),
            )
            found.setdefault(spot, axes or ())
            if axes and found[spot] != axes:  # it has two causes, each of which suffices
                found[_again(spot, found)] = axes
            if axes is None or len(axes) < 2:  # of what several axes do together, each may do something alone
                by_itself = search.spots(frozenset()) if axes else ()
                for other in search.spots(frozenset(axes or ())):
                    found.setdefault(other, () if other in by_itself else axes or ())
        guilty = {axis for axes in found.values() for axis in axes}
        if not guilty & remaining:
            return
        remaining = frozenset(remaining - guilty)
        if not any(spot not in found or found[spot] for spot in search.spots(remaining)):
            return


def _variables(axes: tuple[str, ...]) -> bool:
    """Whether variables alone are to blame: what writes all of them down is to be told so once."""
    return bool(axes) and {axis_of(axis) for axis in axes} <= set(_VARIABLES)


def _but_variables(axes: frozenset[str]) -> frozenset[str]:
    return frozenset(choice for choice in axes if axis_of(choice) not in _VARIABLES)


def _again(spot: Spot, found: dict[Spot, tuple[str, ...]]) -> Spot:
    """The spot under an aspect of its own, so that a second cause has a place beside the first."""
    number = 2
    while (other := msgspec.structs.replace(spot, aspect=f"{spot.aspect} ({number})")) in found:
        number += 1
    return other


def _in_order(axes: Iterable[str]) -> tuple[str, ...]:
    rank = {axis.name: number for number, axis in enumerate(AXES)}
    return tuple(sorted(set(axes), key=lambda choice: (rank[axis_of(choice)], choice)))


def _suspects(services: Services, search: _Search, built: Built, spot: Spot, world: frozenset[str]) -> tuple[str, ...]:
    seen = _trace(services, built, search.rebuilt(world), spot)
    found = list(_BY_ASPECT.get(spot.aspect, ()))
    if seen is not None:
        if seen.place.startswith((".debug", ".dynstr")):
            found.append("build-path")
        found += [axis for mark in Mark if mark in seen.marks for axis in _SUSPECTS.get(mark, ())]
    levels = {axis_of(choice): choice for choice in world}
    return tuple(dict.fromkeys(levels[axis] for axis in found if axis in levels))


def _bytes_of(services: Services, artifact: str, done: Built | Rebuild, member: str) -> bytes | None:
    found = next((each for each in done.artifacts if each.name == artifact), None)
    if found is None:
        return None
    contents = contents_of(artifact, services.blobs.get(found.blob))
    if contents.members is None or not member:
        return contents.data if contents.members is None else services.blobs.get(found.blob)
    return next((each.read() for each in contents.members if each.path == member and each.kind is MemberKind.FILE), None)


def _trace(services: Services, built: Built, again: Rebuild, spot: Spot) -> Trace | None:
    """What the differing bytes of a spot show; None if no bytes of it differ."""
    if not spot.aspect.startswith(CONTENT):
        return None
    one, two = _bytes_of(services, spot.artifact, built, spot.member), _bytes_of(services, spot.artifact, again, spot.member)
    return None if one is None or two is None or one == two else trace(one, two, CONTRACT, vary(again.axes))


def _told(services: Services, search: _Search, plan: Plan, built: Built, found: dict[Spot, tuple[str, ...]]) -> tuple[Blame, ...]:
    """One blame per artifact, axes and cause, with the first member that shows it; contents before metadata, more members first."""
    told: dict[tuple[str, tuple[str, ...], str], Blame] = {}
    for spot, axes in found.items():
        again = search.rebuilt(frozenset(axes))
        seen = _trace(services, built, again, spot)
        cause = cause_of(spot, tuple(map(axis_of, axes)), seen)
        key = (spot.artifact, axes, cause.name)
        if key in told:
            told[key] = msgspec.structs.replace(told[key], members=told[key].members + 1)
            continue
        told[key] = Blame(
            artifact=spot.artifact,
            member=spot.member,
            aspect=spot.aspect,
            axes=axes,
            step=_first_to_diverge(plan, built, again, spot.artifact),
            offset=seen.offset if seen is not None else None,
            length=seen.length if seen is not None else None,
            place=seen.place if seen is not None else "",
            cause=cause.name,
            says=cause.says + _in_its_place(spot, built, again),
            fix=cause.fix,
        )
    ends = (FAILED, MISSING)
    order = sorted(told.values(), key=lambda one: (one.aspect not in ends, one.offset is None, -one.members, one.artifact, one.member))
    return tuple(order)


def _in_its_place(spot: Spot, built: Built, again: Rebuild) -> str:
    """What a rebuild delivered that the build did not, where it is an artifact that is missing."""
    known = {artifact.name for artifact in built.artifacts}
    names = [artifact.name for artifact in again.artifacts if artifact.name not in known]
    return f"; it delivers {', '.join(names)}" if spot.aspect == MISSING and names else ""


def _first_to_diverge(plan: Plan, built: Built, again: Rebuild, artifact: str) -> StepName | None:
    """The first in plan order whose output diverged, among the step that delivered the artifact and all that it needs.

    None of a release, of which only the artifacts are known.
    """
    if not built.run.steps:
        return None
    first = {run.step: run.outputs for run in built.run.steps}
    return next((name for name in steps_behind(plan, built, artifact) if again.outputs.get(name) != first.get(name)), None)
