"""What all attempts at one build have come to, where a loss broke some of them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.base.name import StepName
    from lockage.record.artifact import Lost, StepRun

__all__ = ["Attempts"]


class Attempts:
    """What all attempts at one build have come to: what was lost, and the steps that were executed by those that were broken off."""

    def __init__(self) -> None:
        self.lost: list[Lost] = []
        self.ran: dict[StepName, StepRun] = {}

    def take(self, results: dict[StepName, StepRun]) -> None:
        """Note the steps that were executed; one that an earlier attempt executed was not found in the cache by this build."""
        for name, run in results.items():
            before = self.ran.get(name)
            if not run.cached:
                self.ran[name] = run
            elif before is not None and (before.action, before.outputs) == (run.action, run.outputs):
                results[name] = before
