"""Fix: the smallest set of mitigations that makes a build come out the same everywhere, found and proven by rebuilding.

A mitigation is tried where its cause shows: in the world whose axes were blamed. What stays is verified as a whole, then left out piece
by piece, and what is left is verified again. Nothing is proven by what a mitigation is believed to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import StepName
from lockage.record.event import Phase
from lockage.work.blame import blame
from lockage.work.build import build
from lockage.work.goal import Goal, next_goals
from lockage.work.trial import Exhausted, Trials
from lockage.work.verify import Verification, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lockage.compare.blame import Blame, Blamed
    from lockage.recipe.model import Recipe
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.trial import Chosen
    from lockage.work.verify import Axes

__all__ = ["Fix", "Mended", "Unmended", "fix"]

#: How often what is left over is blamed and mended again: one cause can hide another.
_TURNS = 4
#: How often a build is repeated that differs by itself, in the hope that it does.
_REPEATS = 3


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """A step that comes out the same now: the mitigations' names, and what each does and for which cause."""

    step: StepName
    artifacts: tuple[str, ...]
    mitigations: tuple[str, ...]
    reasons: tuple[str, ...]


class Unmended(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact that still differs: by which cause and axes, what was tried in vain, and what mends it by hand."""

    artifact: str
    step: StepName | None
    cause: str
    axes: tuple[str, ...]
    tried: tuple[str, ...]
    advice: str


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``text`` is the new recipe, None if nothing helped; ``identical``: with it every artifact is."""

    mended: tuple[Mended, ...]
    unmended: tuple[Unmended, ...]
    text: str | None
    identical: bool
    rebuilds: int
    exhausted: bool = False


def fix(
    services: Services,
    project: Project,
    built: Built,
    found: Verification,
    *,
    text: str,
    read: Callable[[str], Recipe],
    rounds: int | None = 1,
    axes: Axes = None,
    severe: bool = False,
    blaming: int = 60,
    most: int = 200,
) -> Fix:
    """Mend what ``found`` blames, by at most ``most`` rebuilds, and ``blaming`` more for what shows then.

    ``text`` is the recipe's, ``read`` makes a recipe of such a text. Raises StepNotEdited, and what building raises.
    """
    assert found.blamed is not None
    trials = Trials(services, project, text, read, most)
    return _Search(services, project, built, trials, rounds, axes, blaming, severe=severe).run(found, found.blamed)


class _Search:
    def __init__(
        self,
        services: Services,
        project: Project,
        built: Built,
        trials: Trials,
        rounds: int | None,
        axes: Axes,
        blaming: int,
        *,
        severe: bool,
    ) -> None:
        self._services, self._project, self._trials = services, project, trials
        self._rounds, self._axes, self._blaming, self._severe = rounds, axes, blaming, severe
        self._deliverers = {artifact.name: artifact.step for artifact in built.artifacts}
        self._goals: dict[tuple[str, tuple[str, ...], str, StepName], Goal] = {}
        self._exhausted = False

    def run(self, found: Verification, blamed: Blamed) -> Fix:
        """Mend, verify, and mend what then shows; keep what is proven, and as little of it as will do."""
        chosen: Chosen = {}
        for _ in range(_TURNS):
            if not self._mend(blamed, chosen):
                break
            found, built = self._verified(chosen)
            if found.identical or self._exhausted:
                break
            blamed = blame(self._services, self._trials.plan(chosen), built, found.rebuilds, most=self._blaming)
        chosen, found = self._proven(chosen, found)
        smaller = self._fewer(chosen, found)
        if smaller != chosen:
            again, _ = self._verified(smaller)
            if _identical(again) >= _identical(found):
                chosen, found = smaller, again
        return self._told(chosen, found)

    def _verified(self, chosen: Chosen) -> tuple[Verification, Built]:
        self._services.tell(Phase(text="verifying with what was found"))
        plan = self._trials.plan(chosen)
        built = build(self._services, plan)
        return verify(self._services, plan, built, rounds=self._rounds, axes=self._axes, severe=self._severe), built

    def _mend(self, blamed: Blamed, chosen: Chosen) -> bool:
        """Try what may help against everything that is blamed, in several steps at once; whether anything did."""
        goals = [goal for one in sorted(blamed.found, key=lambda one: len(one.axes)) if (goal := self._goal(one, chosen)) is not None]
        before = sum(map(len, chosen.values()))
        try:
            while active := next_goals(goals):
                self._try(active, chosen)
        except Exhausted:
            self._exhausted = True
        return sum(map(len, chosen.values())) > before

    def _goal(self, one: Blame, chosen: Chosen) -> Goal | None:
        """What is to be tried against a cause; None if it was tried before, or if no step made the artifact."""
        deliverer = self._deliverers.get(one.artifact)
        known = {step.name for step in self._project.recipe.steps}
        if deliverer not in known or deliverer is None:
            return None
        goal = Goal(one, one.step if one.step in known and one.step is not None else deliverer, deliverer)
        key = (one.artifact, one.axes, one.cause, goal.step)
        earlier = self._goals.get(key)
        if earlier is not None and not earlier.solved:
            return None
        self._goals[key] = goal
        goal.wait(self._trials, chosen)
        return goal

    def _try(self, goals: Sequence[Goal], chosen: Chosen) -> None:
        """The next attempt of every goal, each in its own world; one that makes its artifact the same is chosen."""
        attempts: Chosen = {step: list(ones) for step, ones in chosen.items()}
        trying = {id(goal): goal.waiting.pop(0) for goal in goals}
        for goal in goals:
            for step, attempt in trying[id(goal)]:
                attempts.setdefault(step, []).append(attempt)
        names = ", ".join(dict.fromkeys(attempt.mitigation.name for ones in trying.values() for _, attempt in ones))
        steps = list(dict.fromkeys(goal.deliverer for goal in goals))
        first = self._trials.deliver(attempts, steps, (), f"with {names or 'what was found'}")
        worlds: dict[tuple[str, ...], list[Goal]] = {}
        for goal in goals:
            if goal.artifact(first) is not None:
                worlds.setdefault(goal.blame.axes, []).append(goal)
        same = {id(goal) for goals_of in worlds.values() for goal in goals_of}
        for axes, goals_of in worlds.items():
            for _ in range(1 if axes else _REPEATS):
                again = self._trials.deliver(
                    attempts,
                    list(dict.fromkeys(goal.deliverer for goal in goals_of if id(goal) in same)),
                    axes,
                    f"with {names or 'what was found'}, varied: {', '.join(axes) or 'nothing'}",
                )
                same -= {id(goal) for goal in goals_of if goal.artifact(again) != goal.artifact(first)}
        for goal in goals:
            goal.took(trying[id(goal)])
            if id(goal) in same:
                goal.solved = True
                for step, attempt in trying[id(goal)]:
                    chosen.setdefault(step, []).append(attempt)

    def _proven(self, chosen: Chosen, found: Verification) -> tuple[Chosen, Verification]:
        """Only the steps all of whose artifacts came out the same, verified without the others."""
        while chosen:
            good = _identical(found)
            lost = {step for step in chosen if not all(name in good for name in self._artifacts_of(step))}
            if not lost:
                break
            chosen = {step: ones for step, ones in chosen.items() if step not in lost}
            if chosen:
                found, _ = self._verified(chosen)
        return chosen, found

    def _artifacts_of(self, step: StepName) -> tuple[str, ...]:
        """The artifacts that are blamed on a step or delivered by it with a mitigation of its own."""
        goals = [goal for goal in self._goals.values() if step in (goal.step, goal.deliverer)]
        return tuple(dict.fromkeys(goal.blame.artifact for goal in goals))

    def _fewer(self, chosen: Chosen, found: Verification) -> Chosen:
        """Leave out one mitigation after the other, in several steps at once, and keep it out where that changes nothing."""
        worlds = [*dict.fromkeys(round_.axes for round_ in found.rounds), ()]
        kept: Chosen = {step: list(ones) for step, ones in chosen.items()}
        behind = {step: frozenset(self._artifacts_of(step)) for step in kept}
        shared = {step for step in kept if any(behind[step] & behind[other] for other in kept if other != step)}
        places = {step: len(ones) - 1 for step, ones in kept.items() if len(ones) > 1 or step in shared}  # the most intrusive first
        try:
            while places:
                now = _apart(places, behind)
                without = {step: [one for n, one in enumerate(ones) if step not in now or n != places[step]] for step, ones in kept.items()}
                needed = {step: {self._deliverers[name] for name in behind[step]} for step in now}
                same = self._same(without, {name for names in needed.values() for name in names}, worlds)
                for step in now:
                    if needed[step] <= same:
                        kept[step] = without[step]
                    places[step] -= 1
                    if places[step] < 0 or (len(kept[step]) < 2 and step not in shared):
                        del places[step]
        except Exhausted:
            self._exhausted = True
        return {step: ones for step, ones in kept.items() if ones}

    def _same(self, chosen: Chosen, steps: set[StepName], worlds: Sequence[tuple[str, ...]]) -> set[StepName]:
        """The steps that deliver the same in all of these worlds."""
        first = self._trials.deliver(chosen, sorted(steps), (), "with less")
        same = {step for step in steps if first[step] is not None}
        for axes in worlds:
            again = self._trials.deliver(chosen, sorted(same), axes, f"with less, {len(axes)} axes varied")
            same = {step for step in same if again[step] == first[step]}
        return same

    def _told(self, chosen: Chosen, found: Verification) -> Fix:
        good = _identical(found) if chosen else frozenset()
        mended = tuple(
            Mended(
                step=step,
                artifacts=self._artifacts_of(step),
                mitigations=tuple(one.mitigation.name for one in ones),
                reasons=tuple(one.reason for one in ones),
            )
            for step, ones in chosen.items()
        )
        unmended = tuple(
            Unmended(
                artifact=goal.blame.artifact,
                step=goal.blame.step,
                cause=goal.blame.cause,
                axes=goal.blame.axes,
                tried=tuple(goal.tried),
                advice=goal.blame.fix,
            )
            for goal in self._goals.values()
            if goal.blame.artifact not in good
        )
        return Fix(
            mended=mended,
            unmended=unmended,
            text=self._trials.text(chosen) if chosen else None,
            identical=bool(chosen) and found.identical,
            rebuilds=self._trials.count,
            exhausted=self._exhausted,
        )


def _apart(steps: Iterable[StepName], behind: Mapping[StepName, frozenset[str]]) -> list[StepName]:
    """As many of the steps as have no artifact in common."""
    found: list[StepName] = []
    taken: set[str] = set()
    for step in steps:
        if not taken & behind[step]:
            found.append(step)
            taken |= behind[step]
    return found


def _identical(found: Verification) -> frozenset[str]:
    return frozenset(verdict.filename for verdict in found.artifacts if verdict.robust.value == "identical")
