"""Errors instead of crashes: at every change of a story the system refuses it, once or from then on, and the command has to cope."""

from __future__ import annotations

import errno
import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.crash.bench import Bench
from tests.crash.disk import read_image
from tests.crash.judge import continue_from, judge
from tests.crash.power import Report
from tests.crash.watch import KILL, watch

from lockage.base.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.crash.stage import Stage
    from tests.crash.story import Told
    from tests.crash.watch import Change

__all__ = ["Trouble", "refuse"]


class Trouble(StrEnum):
    """What becomes of the disk: it is full or the quota used up, read-only, or one change of it fails; or of the process: it is killed."""

    FULL = "full"
    QUOTA = "quota"
    READ_ONLY = "read-only"
    FAULTY = "faulty"
    KILLED = "killed"


_ERRORS = {Trouble.FULL: errno.ENOSPC, Trouble.QUOTA: errno.EDQUOT, Trouble.READ_ONLY: errno.EROFS, Trouble.FAULTY: errno.EIO}
#: What an error text looks like: its code, what is wrong, and what to do.
_TOLD = re.compile(r"error\[([a-z-]+)\]: .+\n(?:.*\n)*hint: .+", re.MULTILINE)


def refuse(
    stage: Stage, story: Sequence[Told], trouble: Trouble, *, every: int = 1, heard: Callable[[Report], None] = lambda _: None
) -> Report:
    """Run each command of a story again for every ``every``-th of its changes, from which on there is trouble, and once more without.

    An exit code must be one that is documented and not that of a fault of lockage itself; the message says what and what to do.
    """
    report = Report()
    bench = Bench([str(folder) for folder in stage.watched])
    total = 0
    for told in story:
        for number in range(1, len(told.changes) + 1):
            total += 1
            if total % every:
                continue
            bench.show(told.start)
            stage.check_out(told.commit)
            ended = watch(stage.program(*told.arguments), stage.watched, _from(number, trouble), stage.scratch)
            report.moments += 1
            change = told.changes[number - 1]
            where = f"{' '.join(told.arguments[:3])}, {trouble} at change {number} of {len(told.changes)}"
            where = f"{where} ({change.call} {stage.inside(change.path)})"
            report.kinds[f"exit {ended.code}"] += 1
            if trouble is Trouble.KILLED:
                if ended.code not in (-9, 0):
                    report.fault(where, f"exit {ended.code}")
            elif ended.code == ExitCode.FAULT or ended.code not in {int(code) for code in ExitCode}:
                report.fault(where, f"exit {ended.code}: {_shape(ended.err)}")
            elif ended.code and not _TOLD.search(ended.err):
                report.fault(where, f"no error was told: {_shape(ended.err)}")
            for fault in judge(stage, read_image(stage.watched), told, done=ended.code == 0, again=True):
                report.fault(where, fault)
            report.continued += 1
            for fault in continue_from(stage, told):
                report.fault(f"{where}, gone on", fault)
            heard(report)
    return report


def _from(number: int, trouble: Trouble) -> Callable[[Change], int]:
    def decide(change: Change) -> int:
        if trouble is Trouble.KILLED:
            return KILL if change.number == number else 0
        if change.number < number or (trouble is Trouble.FAULTY and change.number > number):
            return 0
        if trouble in (Trouble.FULL, Trouble.QUOTA) and not _takes_space(change):
            return 0
        if trouble is Trouble.READ_ONLY and change.call in ("fsync", "syncfs"):
            return 0
        return _ERRORS[trouble]

    return decide


def _takes_space(change: Change) -> bool:
    if change.call == "open":
        return bool(change.flags & os.O_CREAT)
    return change.call in ("write", "mkdir", "link", "symlink", "allocate", "truncate") and (change.call != "truncate" or change.length > 0)


def _shape(text: str) -> str:
    """An error text without what differs from run to run, so that equal faults are counted together."""
    last = [line for line in text.splitlines() if line.strip()][-6:]
    return re.sub(r"[0-9a-f]{8,}|\d{3,}", "…", " / ".join(line.strip() for line in last))
