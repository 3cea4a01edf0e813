"""Crash safety at every point: commands are cut off by the power, killed and refused what they ask for, wherever they change a file.

python benchmarks/exam_crash.py [--points N] [--kind KIND]… [--seed N] [--draw N]

Every change that a command makes of the store, its keys, the project and its results is a point. `power` judges the states that a disk
may be left in at each (tests/crash/disk.py says which); `power-after-kill` kills at the point, runs the command again, and cuts the power
then; the other kinds run the command again with trouble from that point on, judge, and run it once more without. With `--points` so many
points of each kind at most, evenly spread; otherwise all. Prints what was tried and every fault; exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.crash.disk import Disk
from tests.crash.power import Report, cut_power, cut_power_after_kill
from tests.crash.refuse import Trouble, refuse
from tests.crash.stage import Stage, made_stage
from tests.crash.story import Told, record

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("power", "power-after-kill", *map(str, Trouble))
#: Seconds between two words about how far it is.
PAUSE = 30.0


def reporter(kind: str) -> Callable[[Report], None]:
    """Says now and then how far a kind is."""
    last = time.monotonic()

    def heard(report: Report) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE:
            last = time.monotonic()
            print(f"  {kind}: {report.moments} points, {report.faults.total()} faults", file=sys.stderr, flush=True)

    return heard


def tried(kind: str, stage: Stage, begun: Disk, story: list[Told], asked: argparse.Namespace) -> Report:
    """One kind."""
    total = sum(len(told.changes) for told in story)
    every = max(1, -(-total // asked.points)) if asked.points else 1
    heard = reporter(kind)
    if kind == "power":
        return cut_power(stage, deepcopy(begun), story, every=every, drawn=asked.draw, seed=asked.seed, heard=heard)
    if kind == "power-after-kill":
        return cut_power_after_kill(stage, deepcopy(begun), story, every=every, heard=heard)
    return refuse(stage, story, Trouble(kind), every=every, heard=heard)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=0, help="at most so many points of each kind; 0: all")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind; may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="of the states that are drawn")
    parser.add_argument("--draw", type=int, default=2, help="how many states are drawn at each point, beside the extremes")
    asked = parser.parse_args()
    faults = 0
    with made_stage() as stage:
        begun = Disk(stage.watched)
        story = record(stage, deepcopy(begun))
        print(f"{len(story)} commands, {sum(len(told.changes) for told in story)} points")
        for kind in asked.kind or KINDS:
            started = time.monotonic()
            report = tried(kind, stage, begun, story, asked)
            faults += report.faults.total()
            kinds = ", ".join(f"{name} {count}" for name, count in sorted(report.kinds.items()))
            print(
                f"{kind}: {report.moments} points, {report.states} states of the disk, {report.continued} times gone on, "
                f"{report.faults.total()} faults; {time.monotonic() - started:.0f} s" + (f" ({kinds})" if kinds else ""),
                flush=True,
            )
            for words in report.words:
                print(f"  {words.replace(str(stage.top), '')}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
