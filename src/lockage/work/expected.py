"""How long steps are expected to take, which decides what is started first and nothing else.

What a step took when it was last executed in this store is remembered by the project's and its own name. The memo may vanish or be
another project's of the same name: then other steps come first, and the result is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical_of, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockage.plan.plan import Plan
    from lockage.ports import Memo
    from lockage.record.artifact import StepRun

__all__ = ["expected_durations", "remember_durations"]

_KIND = "durations"


class _Durations(msgspec.Struct, frozen=True):
    wall_ms: dict[str, int]  # by the names of steps, which need not be checked: what is asked for is of the recipe


def expected_durations(memo: Memo, plan: Plan) -> Mapping[str, int]:
    """The milliseconds that steps of this project took last, as far as they are remembered."""
    found = memo.get(_KIND, plan.recipe.project)
    try:
        return decode(found, _Durations).wall_ms if found else {}
    except InvalidDocument:
        return {}  # another lockage wrote it


def remember_durations(memo: Memo, plan: Plan, runs: Iterable[StepRun]) -> None:
    """Remember what the steps took that were executed and succeeded; the recipe's others stay as they were remembered."""
    took: dict[str, int] = {run.step: run.usage.wall_ms for run in runs if not run.cached and run.failure is None}
    if took:
        before, steps = expected_durations(memo, plan), {step.name for step in plan.recipe.steps}
        kept = {name: wall_ms for name, wall_ms in before.items() if name in steps}
        memo.put(_KIND, plan.recipe.project, canonical_of(_Durations({**kept, **took})))
