"""Failures of several steps at once, steps that are run again, and why a step runs: the real program, with the real sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.good]
environment = "build"
inputs = ["README.md"]
run = "mkdir out && cat README.md > out/good.txt"
outputs = ["out"]
artifacts = ["out/*.txt"]
[step.bad]
environment = "build"
inputs = []
run = "echo trying; exit 3"
outputs = ["bad"]
retries = 1
[step.hanging]
environment = "build"
inputs = []
run = "sleep 60"
outputs = ["hanging"]
timeout = "1 s"
[step.after]
environment = "build"
needs = ["bad"]
inputs = []
run = "touch after"
outputs = ["after"]
"""


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_every_failure_is_told_and_the_rest_is_built(shop: Store, jobs: str) -> None:
    with (shop.work / "lockage.toml").open("a") as recipe:
        recipe.write(STEPS)
    error = shop("build", "--keep-going", "--json", "-j", jobs, expect=9).error
    assert error["code"] == "steps-not-done"
    assert error["details"]["steps"] == ["bad", "hanging"]
    assert error["details"]["reasons"] == ["exit-code", "timeout"]
    assert error["details"]["not_started"] == ["after (needs bad)"]
    run = error["hint"].partition("lockage logs ")[2].split()[0]
    assert shop("logs", run, "bad", expect=0).stdout == "trying\n== bad · attempt 1: exit-code: the command exited with 3\ntrying\n"
    assert "== after · not started: it needs bad, which failed\n" in shop("logs", run, expect=0).stdout
    assert not (shop.work / "dist" / "good.txt").exists()
    assert shop("explain", "good", "--json", expect=0).json["state"] == "kept"
    assert shop("explain", "bad", "--json", expect=0).json["state"] == "failed"
    built = shop("build", "--step", "good", "--json", expect=0).json
    assert [step["cached"] for step in built["steps"]] == [True]


def test_what_changed_in_a_step_is_told(shop: Store) -> None:
    assert shop("explain", "package", "--json", expect=0).json["state"] == "kept"
    (shop.work / "src" / "shop" / "more.py").write_text("MORE = 1\n")
    shop.git("add", "--all")
    shop.git("commit", "--quiet", "--message", "more")
    found = shop("explain", "package", "--json", expect=0).json
    assert found["state"] == "changed"
    assert {(change["kind"], change["name"]) for change in found["changes"]} >= {("input", "src/shop/more.py")}
    assert any(line.split() == ["+", "input", "src/shop/more.py"] for line in shop("explain", "package", expect=0).stdout.splitlines())
    assert shop("explain", "unit", "--json", expect=0).json["waits_for"] == ["package"]
