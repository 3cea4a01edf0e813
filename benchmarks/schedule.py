"""How fast the schedule is: all transitions of a plan of 1,000 and of 10,000 jobs. Prints one line for each.

python benchmarks/schedule.py [--check] [--rounds 5]

The jobs are in layers of a hundred, each needs three of the layer before, some hold latches or units of a pool; sixteen run beside
each other. Ten times the jobs may take 10 · log 10000 / log 1000 = 13.3 times as long.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from functools import partial

from measuring import in_turns, lines, report

from lockage.base.name import LatchName, PoolName, StepName
from lockage.schedule.job import Capacity, Job
from lockage.schedule.schedule import Schedule

POOL = PoolName("licence")
CAPACITY = Capacity(cpus=16, memory=64, jobs=16, pools={POOL: 4})
TARGET = 13.4


def jobs_of(count: int, width: int = 100) -> list[Job]:
    """A plan of that many jobs, the same every time."""
    rng = random.Random(count)
    names = [StepName(f"s{number}") for number in range(count)]
    jobs = []
    for number, name in enumerate(names):
        layer = number // width * width
        jobs.append(
            Job(
                name=name,
                needs=frozenset(rng.sample(names[layer - width : layer], 3)) if layer else frozenset(),
                cpus=rng.choice([1, 1, 1, 2, 4]),
                memory=rng.randint(1, 8),
                exclusive=frozenset({LatchName(f"latch-{rng.randrange(20)}")}) if rng.random() < 0.1 else frozenset(),
                pools={POOL: rng.randint(1, 4)} if rng.random() < 0.1 else {},
                expected=rng.randint(1, 10_000),
            )
        )
    return jobs


def alike(count: int) -> list[Job]:
    """Jobs without needs that all want one latch: who waits for it must not be looked at again and again."""
    return [Job(name=StepName(f"s{n}"), needs=frozenset(), cpus=1, memory=1, exclusive=frozenset({LatchName("one")})) for n in range(count)]


def run(jobs: list[Job]) -> float:
    """Seconds of CPU time from the plan to its end, without doing anything in between."""
    begin = time.process_time()  # all of it is computing, and the machine may be busy
    schedule = Schedule(jobs, CAPACITY)
    while True:
        while schedule.start() is not None:
            pass
        if (job := schedule.look()) is not None:
            schedule.queue(job.name)
        elif schedule.running:
            schedule.finished(next(iter(schedule.running)), succeeded=True)
        else:
            assert len(schedule.done) == len(jobs)
            return time.process_time() - begin


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    results = []
    for what, make in (("layers", jobs_of), ("one latch", alike)):
        small, large = f"1,000 jobs, {what}, the floor", f"10,000 jobs, {what}"
        found = in_turns(arguments.rounds, {small: partial(run, make(1000)), large: partial(run, make(10_000))})
        results += lines(found, small, {large: TARGET})
    return report(results, check=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
