"""What a recipe of many steps costs before anything is run, and whether that grows with the number of steps or faster.

Each is measured with a tenth of the steps as well, in turns. Linear is ten times as long.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING

from lockage.base.canonical import canonical_of, decode_hook
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import Version
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.plan.plan import make_plan, resolution_key
from lockage.recipe.model import Recipe
from lockage.recipe.parse import parse_recipe
from lockage.record.source import CommitOrigin, Source

if TYPE_CHECKING:
    from collections.abc import Callable

import msgspec

_HEAD = '[project]\nname = "shop"\n[environment.build]\nos = "debian:bookworm"\n'
_MATRIX = """
[matrix]
shard = {{ range = [1, {steps}], width = 6 }}
[step.make]
matrix = ["shard"]
inputs = ["src/**"]
run = "make {{shard}}"
outputs = ["out/{{shard}}"]
[step.check]
matrix = ["shard"]
kind = "test"
needs = ["make"]
inputs = []
run = "check out/{{shard}}"
[step.all]
needs = ["make-*"]
inputs = []
run = "cat out/* > all"
outputs = ["all"]
"""


def plain(steps: int) -> str:
    """The same number of steps written out, each needing the one before."""
    texts = [f'[step.make-{number}]\ninputs = ["src/**"]\nrun = "make"\noutputs = ["out/{number}"]\n' for number in range(steps)]
    return _HEAD + "".join(text + (f'needs = ["make-{number - 1}"]\n' if number else "") for number, text in enumerate(texts))


class Case:
    """One recipe, and everything that can be asked of it."""

    def __init__(self, steps: int) -> None:
        self.matrix = (_HEAD + _MATRIX.format(steps=steps // 2)).encode()
        self.plain = plain(steps).encode()
        self.recipe = parse_recipe(self.matrix)
        self.kept = canonical_of(self.recipe)
        root = RootRef(tree=BlobRef.of(b"root"), metadata=Digest.of(b"root"))
        declared = self.recipe.environments["build"]
        release = Digest.of(b"")
        locked = LockedEnvironment(
            declaration=declared.digest,
            os=declared.os,
            architecture="amd64",
            release_date="2026-01-01",
            release_sha256=release,
            root=root,
            packages=(),
        )
        self.lock = Lock(environments={"build": locked})
        self.source = Source(
            tree=BlobRef.of(b"tree"), date=Instant(1_700_000_000), version=Version("1.0"), origin=CommitOrigin(commit="0" * 40)
        )
        self.plan = make_plan(self.recipe, self.lock, self.source)

    def keys(self) -> None:
        tree = self.source.tree
        for planned in self.plan.steps:
            resolution_key(planned, tree, dict.fromkeys(planned.step.needs, tree))

    def what(self) -> dict[str, Callable[[], object]]:
        return {
            "parsed, from a matrix": lambda: parse_recipe(self.matrix),
            "parsed, written out": lambda: parse_recipe(self.plain),
            "read as it was remembered": lambda: msgspec.json.decode(self.kept, type=Recipe, dec_hook=decode_hook),
            "digest of the recipe": lambda: self.recipe.digest,
            "planned": lambda: make_plan(self.recipe, self.lock, self.source),
            "keyed": self.keys,
        }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--check", action="store_true", help="exit 1 if something grows faster than it should")
    given = arguments.parse_args()
    small, large = Case(given.steps // 10).what(), Case(given.steps).what()
    missed = False
    for name in large:
        times: dict[str, list[float]] = {"small": [], "large": []}
        for _ in range(given.rounds):
            for size, case in (("small", small), ("large", large)):
                started = time.process_time()
                case[name]()
                times[size].append(time.process_time() - started)
        slow, fast = statistics.median(times["large"]), statistics.median(times["small"])
        missed |= slow / fast >= 15
        print(f"{given.steps} steps {name:30}{slow:8.2f} s of CPU, {slow / fast:5.1f} times as long as {given.steps // 10}")
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
