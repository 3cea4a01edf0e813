"""Bad input: recipes, locks and sources that cannot be used. Nothing of it needs an environment."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

ENVIRONMENT = """\
[project]
name = "tiny"
version = "1.0"

[environment.build]
os = "debian:bookworm"

"""

STEP = """\
[step.one]
environment = "build"
run = "true"
outputs = ["out"]
artifacts = ["out/*"]
"""

THREE_FAULTS = """\
[project]
name = "tiny"
version = "1.0"

[environment.build]
os = "debian:bookwyrm!"

[step.one]
environment = "biuld"
run = "true"
outputs = ["out"]
timeout = "10 parsecs"
"""


def work_tree(store: Store, recipe: str, lock: str | None = None) -> None:
    (store.work / "lockage.toml").write_text(recipe)
    if lock is not None:
        (store.work / "lockage.lock").write_text(lock)
    store.git("init", "-q", "-b", "main")
    store.commit()


@pytest.mark.parametrize("command", ["lock", "build", "test", "verify", "release"])
def test_a_recipe_with_three_faults_has_all_three_reported(cli: Store, command: str) -> None:
    work_tree(cli, THREE_FAULTS)
    error = cli(command, "--json", expect=2).error
    assert error["code"] == "invalid-recipe"
    said = "\n".join([error["message"], *error["details"]["faults"]])
    for line, key in ((6, "environment.build.os"), (9, "step.one.environment"), (12, "step.one.timeout")):
        assert f"lockage.toml:{line}: {key}:" in said
    assert cli.kept().size == 0


def test_steps_that_need_each_other_are_named(cli: Store) -> None:
    needs = {"one": "three", "two": "one", "three": "two"}
    steps = [STEP.replace("one", step).replace('["out', f'["{step}') + f'needs = ["{need}"]\n' for step, need in needs.items()]
    work_tree(cli, ENVIRONMENT + "".join(steps))
    error = cli("build", "--json", expect=2).error
    assert error["code"] == "invalid-recipe"
    assert error["message"] == "lockage.toml:13: step.one.needs[0]: the steps need each other in a circle: one → three → two → one"


def test_a_recipe_that_is_not_toml_has_its_line_named(cli: Store) -> None:
    work_tree(cli, "[project]\nname = \n")
    error = cli("build", "--json", expect=2).error
    assert error["message"].startswith("lockage.toml:2: not TOML")


def test_a_missing_lock_is_asked_for(cli: Store) -> None:
    work_tree(cli, ENVIRONMENT + STEP)
    error = cli("build", "--json", expect=3).error
    assert error["code"] == "lock-missing"
    assert "lockage lock" in error["hint"]
    assert cli("lock", "--check", "--json", expect=3).error["code"] == "lock-missing"


@pytest.mark.parametrize("lock", ["", "{}", "nonsense", '{"version": 99}', '{"environments": {"build": 7}, "version": 1}'])
def test_a_lock_that_cannot_be_read_is_named(cli: Store, lock: str) -> None:
    work_tree(cli, ENVIRONMENT + STEP, lock)
    error = cli("build", "--json", expect=2).error
    assert error["code"] == "invalid-lock"
    assert "lockage.lock" in error["message"]


def test_a_lock_given_that_is_not_there_is_a_usage_error(cli: Store) -> None:
    work_tree(cli, ENVIRONMENT + STEP)
    error = cli("build", "--lock", "nowhere.lock", "--json", expect=2).error
    assert "nowhere.lock" in error["message"]


@pytest.mark.parametrize("source", ["nowhere", "notes.txt", "broken.tar.gz", "foreign.tar.gz", "empty"])
@pytest.mark.parametrize("command", ["build", "lock", "init"])
def test_a_source_that_is_none_is_a_usage_error(cli: Store, source: str, command: str) -> None:
    (cli.work / "notes.txt").write_text("not a source\n")
    (cli.work / "broken.tar.gz").write_bytes(b"\x1f\x8b\x08\x00 no archive")
    (cli.work / "empty").mkdir()
    with tarfile.open(cli.work / "foreign.tar.gz", "w:gz") as archive:
        archive.add(cli.work / "notes.txt", "notes.txt")
    before = sorted(cli.work.rglob("*"))
    error = cli(command, source, "--json", expect=2).error
    assert source in error["message"] + str(error["details"])
    assert sorted(cli.work.rglob("*")) == before
    assert cli.kept().size == 0
