"""What is to be mended: one cause of one artifact, and what is tried against it, in which steps and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.compare.mitigations import candidates
from lockage.work.trial import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.base.digest import BlobRef
    from lockage.base.name import StepName
    from lockage.compare.blame import Blame
    from lockage.work.trial import Chosen, Delivered, Trials

    #: What is tried together: mitigations, each with the step that it is written into.
    Trial = tuple[tuple[StepName, Attempt], ...]

__all__ = ["Goal", "next_goals"]


class Goal:
    """One cause of one artifact. It is mended in the step where it began, or also in the one that delivers."""

    def __init__(self, one: Blame, step: StepName, deliverer: StepName) -> None:
        self.blame, self.step, self.deliverer = one, step, deliverer
        self.waiting: list[Trial] = []
        self.tried: list[str] = []
        self.solved = False

    @property
    def steps(self) -> tuple[StepName, ...]:
        """The steps that may be changed for it."""
        return tuple(dict.fromkeys((self.step, self.deliverer)))

    def wait(self, trials: Trials, chosen: Chosen) -> None:
        """Line up what to try: what was chosen already, one mitigation in one step, one in two steps, and all at once."""
        fitting: list[Trial] = []
        for mitigation in candidates(self.blame):
            attempt = Attempt(mitigation=mitigation, cause=self.blame.cause)
            steps = (self.deliverer,) if mitigation.delivering else self.steps
            fitting.append(tuple((step, attempt) for step in steps if not trials.is_made(step, chosen.get(step, []), attempt)))
        fitting = [trial for trial in fitting if trial]
        self.waiting = [()] if any(chosen.get(step) for step in self.steps) else []
        self.waiting += [trial[:1] for trial in fitting]
        self.waiting += [trial for trial in fitting if len(trial) > 1]
        if len(fitting) > 1:  # each may mend one of several things that look alike
            self.waiting.append(tuple(one for trial in fitting for one in trial))

    def artifact(self, delivered: dict[StepName, Delivered]) -> BlobRef | None:
        """What its artifact came out as; None if it did not."""
        of_step = delivered.get(self.deliverer)
        return None if of_step is None else of_step.get(self.blame.artifact)

    def took(self, trial: Trial) -> None:
        """Note what was tried."""
        self.tried += [attempt.mitigation.name for _, attempt in trial if attempt.mitigation.name not in self.tried]


def next_goals(goals: Sequence[Goal]) -> list[Goal]:
    """The open goals that can be worked on at once: two in one step could be taken for each other."""
    found: list[Goal] = []
    taken: set[StepName] = set()
    for goal in goals:
        if not goal.solved and goal.waiting and not taken & set(goal.steps):
            found.append(goal)
            taken |= set(goal.steps)
    return found
