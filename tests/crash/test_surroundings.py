"""A clock that jumps, and a store that can only be read."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.crash.story import STORY, placed
from tests.crash.watch import Change, watch

from lockage.adapters.clock_system import SystemClock
from lockage.base.errors import ExitCode
from lockage.base.instant import Instant
from lockage.work.govern import check_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.conftest import Lived
    from tests.crash.stage import Stage

    from lockage.record.artifact import Run

pytestmark = pytest.mark.slow

YEAR = 365 * 86_400


def _jumping(*offsets: int) -> Callable[[], None]:
    """Every look at the clock is by another offset."""
    looks = 0

    def now(self: SystemClock) -> Instant:
        nonlocal looks
        looks += 1
        return Instant(int(time.time()) + offsets[looks % len(offsets)])

    def prepare() -> None:
        SystemClock.now = now  # type: ignore[method-assign] # in a child that ends with its command

    return prepare


@pytest.mark.parametrize("offsets", [((0,), (-YEAR,)), ((0, YEAR),), ((YEAR, 0),), ((0, -YEAR, YEAR, -3600),)], ids=str)
def test_a_clock_that_jumps_stops_nothing_but_a_manifest_that_is_not_of_today(stage: Stage, offsets: tuple[tuple[int, ...], ...]) -> None:
    runs: dict[str, Run] = {}
    for number, chapter in enumerate(STORY):
        if chapter.readme is not None:
            (stage.work / "README.md").write_text(chapter.readme)
            stage.commit()
        command = stage.program(*placed(stage, chapter.arguments), prepare=_jumping(*offsets[number % len(offsets)]))
        ended = watch(command, [], lambda _: 0, stage.scratch)
        future = chapter.arguments[0] == "pull" and ended.code == ExitCode.INTEGRITY and "the manifest was issued at" in ended.err
        assert ended.code == 0 or future, (chapter.arguments, ended)
        kept = stage.services().runs
        runs |= {run_id: found[0] for run_id in kept.ids() if (found := kept.get(run_id)) is not None}
    assert len(runs) > 2  # also those that gc deletes later in the story
    assert all(run.started <= run.finished for run in runs.values())
    services = stage.services()
    assert services.runs.ids(), "the newest stays, whatever the time is"
    check_ledger(services)


#: Commands that ask and change nothing.
READING = (
    (), ("status",), ("history", "dev"), ("why-not", "shop", "dev"), ("logs",), ("explain", "package"), ("store",), ("store", "check"),
    ("ledger", "verify"), ("ledger", "log"), ("evidence", "list", "shop@1.0-1"), ("policy", "list"), ("key", "list"), ("lock", "--check"),
    ("pull", "dev", "--into", "PULLED"), ("build", "--out", "OUT"), ("release",),
)  # fmt: skip


def _read_only(change: Change) -> int:
    return errno.EROFS


def test_a_store_that_can_only_be_read_answers_whatever_needs_no_writing(lived: Lived) -> None:
    stage, _, _ = lived
    for arguments in READING:
        ended = watch(stage.program(*placed(stage, arguments)), [stage.home], _read_only, stage.scratch)
        assert ended.code == 0, (arguments, ended)


@pytest.mark.parametrize("arguments", [("promote", "shop", "--to", "dev"), ("rollback", "dev"), ("verify",), ("test",)], ids=str)
def test_what_has_to_be_recorded_is_refused_by_a_store_that_can_only_be_read(lived: Lived, arguments: tuple[str, ...]) -> None:
    stage, _, _ = lived
    ended = watch(stage.program(*arguments), [stage.home], _read_only, stage.scratch)
    assert ended.code == ExitCode.NOT_PERMITTED, ended
    assert "read-only" in ended.err
    assert "hint: " in ended.err


def _kill_after_an_append(lived: Lived) -> None:
    """Show the state that a promotion leaves which is killed when it has been appended: the log is still there."""
    stage, _, story = lived
    promotion = next(told for told in story if told.arguments[0] == "promote")
    committed = max(change.number for change in promotion.changes if change.call == "fsync" and change.path.endswith("-wal"))
    stage.show(promotion.start)
    killed = watch(
        stage.program(*promotion.arguments), stage.watched, lambda change: -1 if change.number == committed + 1 else 0, stage.scratch
    )
    assert killed.code == -9


def test_a_ledger_left_by_a_killed_process_can_be_read_where_nothing_can_be_written(lived: Lived) -> None:
    stage, _, _ = lived
    _kill_after_an_append(lived)
    assert os.stat(stage.home / "ledger.db-wal").st_size  # noqa: PTH116
    status = watch(stage.program("status"), [stage.home], _read_only, stage.scratch)
    assert status.code == 0, status
    assert "shop@1.0-1" in status.out, "the append that was made before the kill counts"


def test_a_log_that_cannot_be_indexed_is_kept(lived: Lived) -> None:
    """SQLite deletes the log of a connection that is closed before it could make the index (seen with 3.40)."""
    stage, _, story = lived
    test = next(told for told in story if told.arguments[0] == "test")
    _kill_after_an_append(lived)
    stage.check_out(test.commit)
    log = stage.home / "ledger.db-wal"
    before = log.read_bytes()
    assert len(before) > 4096
    full = watch(stage.program("test"), stage.watched, lambda change: errno.ENOSPC if "-shm" in change.path else 0, stage.scratch)
    assert full.code == ExitCode.NOT_PERMITTED, full
    assert log.read_bytes() == before
    assert watch(stage.program("test"), [], lambda _: 0, stage.scratch).code == 0


def test_a_ledger_that_could_not_be_made_whole_gets_no_name(lived: Lived) -> None:
    stage, _, story = lived
    build = next(told for told in story if told.arguments[0] == "build")
    writes = sum(change.call == "write" and change.path.endswith(".fresh") for change in build.changes)
    assert writes > 5
    for refused in range(1, writes + 1):
        stage.show(build.start)
        stage.check_out(build.commit)
        seen = 0

        def decide(change: Change, refused: int = refused) -> int:
            nonlocal seen
            seen += change.call == "write" and change.path.endswith(".fresh")
            return errno.ENOSPC if seen >= refused and change.call == "write" else 0

        assert watch(stage.program(*build.arguments), stage.watched, decide, stage.scratch).code == ExitCode.NOT_PERMITTED
        assert not (stage.home / "ledger.db").exists()
