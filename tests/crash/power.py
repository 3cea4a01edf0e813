"""Power cuts: at every change of a story, the states that the disk may be left in, each judged and some of them gone on from."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING

import msgspec
from tests.crash.bench import Bench
from tests.crash.disk import read_image
from tests.crash.judge import continue_from, judge
from tests.crash.story import facts_of
from tests.crash.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.crash.disk import Disk
    from tests.crash.stage import Stage
    from tests.crash.story import Told
    from tests.crash.watch import Change

__all__ = ["Report", "cut_power", "cut_power_after_kill"]

#: So many faults are kept in words; all are counted.
_WORDS = 40


class Report(msgspec.Struct, kw_only=True):
    """What was tried: moments (changes after which power may fail), different states judged, commands gone on, and the faults."""

    moments: int = 0
    states: int = 0
    continued: int = 0
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    words: list[str] = msgspec.field(default_factory=list)

    def fault(self, where: str, what: str) -> None:
        """Note a fault."""
        self.faults[what] += 1
        if self.faults[what] == 1 and len(self.words) < _WORDS:
            self.words.append(f"{where}: {what}")


def cut_power(
    stage: Stage,
    begun: Disk,
    story: list[Told],
    *,
    every: int = 1,
    drawn: int = 2,
    continue_every: int = 25,
    seed: int = 0,
    enough: int | None = None,
    heard: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Judge the states after every ``every``-th change of a story that began with a disk; ``drawn`` of them at each at random.

    Of the states judged every ``continue_every``-th is gone on from with the command that was interrupted. ``enough``: so many faults.
    """
    report, random, seen = Report(), Random(seed), set[int]()
    bench = Bench([str(folder) for folder in stage.watched])
    for told, number, done in _moments(begun, story, stage.work / "README.md"):
        if number % every and not done:
            continue
        report.moments += 1
        for kind, image in begun.states(random, drawn):
            key = hash((done, told.arguments, told.commit, tuple(sorted((path, item.mode, item.data) for path, item in image.items()))))
            if key in seen:
                continue
            seen.add(key)
            report.states += 1
            report.kinds[kind] += 1
            where = f"{' '.join(told.arguments[:3])}, {'done' if done else f'change {number} of {len(told.changes)}'}, {kind}"
            bench.show(image)
            for fault in judge(stage, image, told, done=done):
                report.fault(where, fault)
            if report.states % continue_every == 0:
                report.continued += 1
                bench.show(image)
                for fault in continue_from(stage, told):
                    report.fault(f"{where}, gone on", fault)
            heard(report)
            if enough is not None and report.faults.total() >= enough:
                return report
    return report


def cut_power_after_kill(
    stage: Stage, begun: Disk, story: list[Told], *, every: int, heard: Callable[[Report], None] = lambda _: None
) -> Report:
    """Kill after every ``every``-th change, run the command again to its end, and then lose power: all that it reported is there."""
    report = Report()
    bench = Bench([str(folder) for folder in stage.watched])
    for total, (told, number, done) in enumerate(_moments(begun, story, stage.work / "README.md")):
        if total % every or done:
            continue
        disk = deepcopy(begun)
        bench.show(disk.now())
        stage.check_out(told.commit)
        changes: list[Change] = []

        def note(change: Change, changes: list[Change] = changes) -> int:
            changes.append(change)
            return 0

        ended = watch(stage.program(*told.arguments), stage.watched, note, stage.scratch)
        report.moments += 1
        where = f"{' '.join(told.arguments[:3])}, killed after change {number} of {len(told.changes)}"
        if ended.code != 0:
            report.fault(where, f"the next ended with {ended.code}: {ended.err}")
            continue
        promised = facts_of(read_image(stage.watched), stage)
        for change in changes:
            disk.apply(change)
        certain = disk.certain()
        bench.show(certain)
        report.states += 1
        report.continued += 1
        # What the killed process had kept and the next had no use for is nobody's loss; what the ledger names is looked for.
        # What the command deletes when it is not killed is not lost either.
        kept = told.before.kept & told.after.kept
        again = msgspec.structs.replace(told, after=msgspec.structs.replace(promised, kept=kept))
        for fault in judge(stage, certain, again, done=True):
            report.fault(where, fault)
        heard(report)
    return report


def _moments(disk: Disk, story: list[Told], readme: Path) -> Iterator[tuple[Told, int, bool]]:
    """The disk after every change, and once more when a command has reported its end."""
    for told in story:
        if told.chapter.readme is not None:
            disk.put(readme, told.chapter.readme.encode())
        for number, change in enumerate(told.changes, 1):
            disk.apply(change)
            yield told, number, False
        yield told, len(told.changes), True
