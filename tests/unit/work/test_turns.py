"""Whose turn it is while others run: steps are looked at in a row, and a row is short where a look takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.base.digest import EMPTY_BLOB
from lockage.plan.plan import make_plan
from lockage.record.artifact import StepRun
from lockage.record.result import Usage
from lockage.work import turns
from lockage.work.turns import take_turns

if TYPE_CHECKING:
    from tests.unit.work.conftest import Commit

    from lockage.adapters.memory.services import MemoryServices
    from lockage.base.name import StepName

MANY = 60


class Performer:
    """Performs nothing, and notes what it is asked for; a look takes so many milliseconds."""

    prepares = True

    def __init__(self, services: MemoryServices, look: int) -> None:
        self._services, self._look = services, look
        self._running: list[StepName] = []
        self.asked: list[str] = []

    def known(self, name: StepName) -> StepRun | None:
        del name
        self.asked.append("look")
        self._services.clock.steady_ms += self._look
        return None

    def prepare(self, name: StepName) -> None:
        del name
        self.asked.append("prepare")

    def start(self, name: StepName) -> None:
        self._running.append(name)
        self.asked.append("start")

    def wait(self, *, again: bool) -> StepRun | None:
        del again
        name = self._running.pop()
        return StepRun(step=name, action=EMPTY_BLOB, exit_code=0, cached=False, outputs=EMPTY_BLOB, log=EMPTY_BLOB, usage=Usage())


@pytest.mark.parametrize(("look", "row"), [(0, turns._IN_A_ROW), (1, turns._AT_ONCE + 1), (50, 1)])
def test_a_row_of_looks_is_as_long_as_it_does_not_keep_others_waiting(
    services: MemoryServices, commit: Commit, look: int, row: int
) -> None:
    recipe = "".join(f'[step.s{n:02}]\ninputs = []\nrun = ["constant", "o{n}"]\noutputs = ["o{n}"]\n' for n in range(MANY))
    project = commit(services, {"a": b""}, recipe=recipe)
    services.capacity = msgspec.structs.replace(services.capacity, jobs=1)
    performer = Performer(services, look)
    take_turns(services, make_plan(project.recipe, project.lock, project.source), performer, keep_going=False)
    assert performer.asked.count("start") == performer.asked.count("look") == MANY
    first = performer.asked.index("prepare")
    assert performer.asked[:first] == ["look", "start", *["look"] * row]
