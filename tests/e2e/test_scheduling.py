"""Steps beside each other in real sandboxes: what ends first cannot be seen, what did not change is not run, latches hold."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


def forget_results(store: Store) -> None:
    """Every step must run again."""
    shutil.rmtree(store.home / "actions", ignore_errors=True)


def many(failing: tuple[int, ...] = ()) -> str:
    """Thirty steps in three layers; each step of a layer needs two of the layer before, and some hold things."""
    parts = ["[pools]\nlicence = 2\n"]
    for number in range(30):
        needs = [number - 10, 10 * (number // 10 - 1) + (number + 3) % 10] if number >= 10 else []
        reads = " ".join(f"o{need}/s{need}" for need in needs) or "/dev/null"
        run = f"echo this is {number}; sleep 0.0{number * 7 % 10}; mkdir o{number}; {{ echo {number}; cat {reads}; }} > o{number}/s{number}"
        parts += [
            f"[step.s{number}]",
            'environment = "build"',
            "inputs = []",
            f"needs = {json.dumps([f's{need}' for need in needs])}",
            f'run = "{run + ("; exit 3" if number in failing else "")}"',
            f'outputs = ["o{number}"]',
            f'artifacts = ["o{number}/*"]' if number >= 20 else "",
            'exclusive = ["port-5432"]' if number % 7 == 0 else "",
            "pools = { licence = 1 }" if number % 4 == 0 else "",
            f"cpus = {1 + number % 2}",
        ]
    return "\n".join(parts) + "\n"


def last_run(store: Store) -> str:
    return max(path.stem for path in (store.home / "runs").glob("run-*.json"))


@pytest.mark.parametrize("failing", [(), (2, 14)], ids=["succeeding", "keeping-going"])
def test_thirty_steps_come_to_the_same_one_by_one_and_four_beside_each_other(shop: Store, tmp_path: Path, failing: tuple[int, ...]) -> None:
    shop.recipe(many(failing))
    found = []
    for jobs in ("1", "4"):
        forget_results(shop)
        more = ("--keep-going",) if failing else ()
        done = shop("build", "--jobs", jobs, "--out", tmp_path / jobs, "--json", *more, expect=9 if failing else 0)
        result = done.json["error"] if failing else done.json["artifacts"]
        log = shop("logs", last_run(shop), expect=0).stdout
        if failing:
            assert result["details"]["steps"] == ["s2", "s14"]
            result = (result["details"]["not_started"], re.sub(r"run-[0-9]+", "run", result["message"]))
        found.append((result, log))
    assert found[0] == found[1]
    headings = [line for line in found[0][1].splitlines() if re.match(r"== s[0-9]+ · (action|not started)", line)]
    order = [int(re.findall(r"s([0-9]+)", line)[0]) for line in headings]
    assert len(order) == 30
    assert order == sorted(order), "in plan order, whatever ran first"


def test_the_same_output_again_runs_nothing_downstream(shop: Store, tmp_path: Path) -> None:
    """Early cut-off: a step's input changes, its output does not."""
    steps = """
[step.words]
environment = "build"
inputs = ["words.txt"]
run = "mkdir w; tr A-Z a-z < words.txt | sort -u > w/words"
outputs = ["w"]
[step.count]
environment = "build"
inputs = []
needs = ["words"]
run = "mkdir c; wc -l < w/words > c/count; date +%N > c/when"
outputs = ["c"]
artifacts = ["c/*"]
"""

    def build(words: str) -> dict[str, bool]:
        shop.recipe(steps, **{"words.txt": words})
        document = shop("build", "--out", tmp_path / "out", "--json", expect=0).json
        return {step["step"]: step["cached"] for step in document["steps"]}

    assert build("b\na\n") == {"words": False, "count": False}
    when = (tmp_path / "out" / "when").read_bytes()
    assert build("A\nb\na\n") == {"words": False, "count": True}
    assert (tmp_path / "out" / "when").read_bytes() == when, "what has the clock in it shows that it was not run again"
    assert build("A\nb\na\nc\n") == {"words": False, "count": False}


def test_two_builds_of_one_store_hold_a_latch_one_after_the_other(shop: Store, tmp_path: Path) -> None:
    """Each writes down when it held the latch; sandboxes share the host's clock."""
    steps = """
[step.holder]
environment = "build"
inputs = ["who.txt"]
run = "mkdir h; date +%s%N > h/begin; sleep 1; date +%s%N > h/end"
outputs = ["h"]
artifacts = ["h/*"]
exclusive = ["device"]
"""
    other = shop.copy(tmp_path / "other")
    shop.recipe(steps, **{"who.txt": "one"})
    other.recipe(steps, **{"who.txt": "two"})
    two = [
        shop.start("build", "--out", tmp_path / "one"),
        shop.start("build", str(other.work), "--out", tmp_path / "two"),
    ]
    for process in two:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    times = sorted((int((tmp_path / who / "begin").read_text()), int((tmp_path / who / "end").read_text())) for who in ("one", "two"))
    assert times[0][1] <= times[1][0]
    assert (shop.home / "latches" / "device").exists()


def test_a_pool_that_is_not_declared_is_told_with_its_place(shop: Store) -> None:
    shop.recipe('[step.a]\nenvironment = "build"\nrun = "true"\noutputs = ["a"]\npools = { licence = 1 }\n')
    error = shop("build", "--json").error
    assert (error["code"], error["exit_code"]) == ("invalid-recipe", 2)
    (excerpt,) = error["excerpts"]
    assert excerpt["text"] == "pools = { licence = 1 }"
    assert excerpt["column"] == excerpt["text"].index("licence") + 1


def test_more_cpus_than_there_are_is_refused_before_the_first_step(shop: Store) -> None:
    steps = '[step.first]\nenvironment = "build"\ninputs = []\nrun = "mkdir f"\noutputs = ["f"]\n'
    shop.recipe(f'{steps}[step.large]\nenvironment = "build"\ninputs = []\nrun = "mkdir l"\noutputs = ["l"]\ncpus = 1024\n')
    runs = sorted((shop.home / "runs").glob("*"))
    error = shop("build", "--json").error
    assert (error["code"], error["exit_code"], error["details"]["step"]) == ("too-many-cpus", 8, "large")
    assert sorted((shop.home / "runs").glob("*")) == runs
