"""What a use case tells while it works; for progress on a terminal, never part of a result."""

from __future__ import annotations

import msgspec

from lockage.base.name import StepName

__all__ = ["Event", "Phase", "StepEnded", "StepStarted"]


class Phase(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A part of the work begins, said in one line."""

    text: str


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step is being executed."""

    step: StepName


class StepEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step has its result."""

    step: StepName
    cached: bool
    failure: str | None
    wall_ms: int


Event = Phase | StepStarted | StepEnded
