"""Results that a sweep took from under a build, put back once the build's run is recorded.

A build takes results from the cache and records its run later; a sweep in between finds no run that needs them. So the build looks, once
its run is recorded, whether they are still there, and the sweep looks, once it has swept, whether runs were recorded: one of the two is
later than the other's doing, and puts them back. The blobs that they name are kept by the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.record.result import ActionResult

if TYPE_CHECKING:
    from lockage.record.artifact import Run
    from lockage.work.services import Services

__all__ = ["put_back"]


def put_back(services: Services, run: Run) -> None:
    """Keep the results of a recorded run's steps that are kept no more; those of failed ones run again. Raises StoreUnwritable."""
    done = [step for step in run.steps if step.failure is None]
    if services.cache.holds([step.action for step in done]):
        return
    for step in done:
        if not services.cache.holds([step.action]):
            result = ActionResult(exit_code=step.exit_code, outputs=step.outputs, log=step.log, usage=step.usage)
            services.cache.put(step.action, result)
