"""Thousands of random plans, each executed in several worlds that must come to the same (tests/property/interleavings.py).

python benchmarks/exam_interleavings.py [--plans 5000] [--seed 0] [--steps 12]

A plan is named by its seed, so that one that is not as promised can be repeated with ``--seed N --plans 1``.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

SOURCE = Path(__file__).parents[1] / "tests" / "property" / "interleavings.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interleavings", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plans", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    interleavings = load()
    begin, broken, seen = time.perf_counter(), [], Counter[str]()
    for seed in range(arguments.seed, arguments.seed + arguments.plans):
        rng = random.Random(seed)
        case = interleavings.random_case(rng, most=arguments.steps)
        seen.update(steps=len(case.steps), failing=sum(step.fails for step in case.steps), cached=len(case.cached))
        seen.update(latches=sum(bool(step.exclusive) for step in case.steps), pools=sum(bool(step.pools) for step in case.steps))
        try:
            interleavings.check(case, rng, worlds=3)
            interleavings.check_fail_fast(case, rng)
        except AssertionError as error:
            broken.append(seed)
            print(f"plan {seed}: {str(error)[:2000]}", file=sys.stderr)
    took = time.perf_counter() - begin
    print(f"{arguments.plans} plans of {seen['steps']} steps: {seen['failing']} fail, {seen['cached']} are cached, ", end="")
    print(f"{seen['latches']} hold latches, {seen['pools']} units of pools")
    print(f"each executed 5 or 6 times in {took:.0f} s; not as promised: {len(broken)} {broken[:20] or ''}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
