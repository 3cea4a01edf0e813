"""How long what is left of a plan may take, from how long its steps took before: for the eyes only, no order follows from it.

Every question costs the same, however many steps there are; a step about which nothing is known counts as the mean of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.base.name import StepName

__all__ = ["Forecast"]


class Forecast:
    """The steps of one plan, in plan order; times are milliseconds, those of events of any steady clock. Not for a plan without history."""

    def __init__(
        self, steps: Sequence[StepName], needs: Mapping[StepName, Sequence[StepName]], jobs: int, known: Mapping[StepName, int]
    ) -> None:
        found = [known[step] for step in steps if step in known]
        mean = sum(found) // len(found) if found else 0
        self._expected = {step: known.get(step, mean) for step in steps}
        self._jobs = max(jobs, 1)
        tails = dict(self._expected)  # the longest chain from the beginning of a step to the end of the plan
        for step in reversed(steps):  # each stands after all that it needs
            for need in needs.get(step, ()):
                if need in tails:
                    tails[need] = max(tails[need], self._expected[need] + tails[step])
        self._tails = tails
        self._waiting = set(steps)
        self._by_tail = sorted(steps, key=lambda step: -tails[step])
        self._next = 0
        self._work = sum(self._expected.values())  # of what waits
        self._running: dict[StepName, int] = {}

    def started(self, step: StepName, at: int) -> None:
        """It is being executed."""
        self._leaves(step)
        if step in self._expected:
            self._running[step] = at

    def ended(self, step: StepName) -> None:
        """It has a result, or never will."""
        self._leaves(step)
        self._running.pop(step, None)

    def left(self, at: int) -> int:
        """How long it may take from now: as long as the longest chain, and as all work on all lanes."""
        while self._next < len(self._by_tail) and self._by_tail[self._next] not in self._waiting:
            self._next += 1
        chain = self._tails[self._by_tail[self._next]] if self._next < len(self._by_tail) else 0
        work = self._work
        for step, since in self._running.items():
            done = min(max(at - since, 0), self._expected[step])
            chain = max(chain, self._tails[step] - done)
            work += self._expected[step] - done
        return max(chain, work // self._jobs)

    def _leaves(self, step: StepName) -> None:
        if step in self._waiting:
            self._waiting.discard(step)
            self._work -= self._expected[step]
