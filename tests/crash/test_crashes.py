"""Samples of what `bin/exam crash` does at every point: the program is cut off, killed, or refused what it asks for."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.crash.disk import Disk
from tests.crash.power import Report, cut_power, cut_power_after_kill
from tests.crash.refuse import Trouble, refuse
from tests.crash.story import STORY, record

from lockage import durable, portable
from lockage.adapters.ledger_sql import SqlLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.conftest import Lived
    from tests.crash.stage import Stage

pytestmark = pytest.mark.slow


def sound(report: Report, at_least: int) -> None:
    assert not report.faults, "\n".join(report.words)
    assert report.moments >= at_least


def test_a_power_cut_loses_nothing_that_was_reported(lived: Lived) -> None:
    report = cut_power(*lived, every=71, drawn=1, continue_every=20)
    sound(report, 30)
    assert report.states > 100
    assert report.continued > 4


def test_a_power_cut_after_a_killed_process_and_its_successor_loses_nothing(lived: Lived) -> None:
    sound(cut_power_after_kill(*lived, every=197), 8)


@pytest.mark.parametrize("trouble", Trouble)
def test_trouble_is_told_and_the_next_run_goes_through(lived: Lived, trouble: Trouble) -> None:
    stage, _, story = lived
    sound(refuse(stage, story, trouble, every=311), 5)


def _no_file_is_synchronised() -> None:
    portable.sync_file = lambda descriptor: None


def _no_folder_is_synchronised() -> None:
    portable.sync_folder = lambda folder: None
    durable.sync_folder = lambda folder: None


def _the_ledger_is_not_synchronised() -> None:
    connect = SqlLedger._connect

    def careless(self: SqlLedger, file: object) -> object:
        connection = connect(self, file)  # type: ignore[arg-type] # as it was given
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    SqlLedger._connect = careless  # type: ignore[method-assign,assignment] # in a child that ends with the test


def _names_before_bytes() -> None:
    def publish(self: durable.Spool, staged: list[durable.Staged], targets: list[Path | str], *, mode: int = 0o444) -> None:
        for item, target in zip(staged, targets, strict=True):
            item.finish(mode)
            item.path.replace(target)
            item.published = True
            item.place = str(target)
        durable._sync(staged)
        durable.sync_folders(Path(target).parent for target in targets)

    durable.Spool.publish = publish  # type: ignore[method-assign,assignment] # in a child that ends with the test


@pytest.mark.parametrize(
    "careless", [_no_file_is_synchronised, _no_folder_is_synchronised, _the_ledger_is_not_synchronised, _names_before_bytes]
)
def test_a_program_that_is_careless_is_found_out(stage: Stage, careless: Callable[[], None]) -> None:
    begun = Disk(stage.watched)
    story = record(stage, deepcopy(begun), STORY[:2], prepare=careless)
    report = cut_power(stage, begun, story, every=5, drawn=1, continue_every=1000, enough=1)
    assert report.faults
