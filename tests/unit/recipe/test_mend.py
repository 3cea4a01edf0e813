"""Changes written into the text of a recipe: what is asked for is there, with its reasons, and nothing else has changed."""

from __future__ import annotations

import tomllib

import pytest

from lockage.base.path import RelPath
from lockage.recipe.change import Change, changed_run, together
from lockage.recipe.mend import StepNotEdited, mended
from lockage.recipe.model import Stamp
from lockage.recipe.modes import Mode
from lockage.recipe.parse import parse_recipe

HEAD = """\
[project]
name = "shop"  # ours
version = "1"

[environment.build]
os = "debian:bookworm"

# what we sell
[step.wheel]
"""
TAIL = """\
outputs = ["dist", "out/report.json"]  # two

[step.other]
run = "true"
outputs = ["x"]
"""
RUNS = {
    "line": 'run = "make dist"\n',
    "line, comment": 'run = "make dist"   # all of it\n',
    "literal": "run = 'make dist'\n",
    "lines": 'run = """\nmake clean\nmake dist\n"""\n',
    "literal lines": "run = '''\nmake clean\nmake dist'''\n",
    "with quotes": 'run = """echo \'\'\'x\'\'\' \\"y\\" \\\\ > z"""\n',
    "arguments": 'run = ["make", "-C", "a b"]\n',
    "arguments, lines": 'run = [\n  "make",  # it\n  "dist",\n]\n',
    "indented": '  run = "make dist"\n',
    "quoted key": '"run" = "make dist"\n',
}
CHANGES = {
    "modes": Change(modes=(Mode.FROZEN_CLOCK,)),
    "modes and stamp": Change(modes=(Mode.FROZEN_CLOCK, Mode.SINGLE_CPU), stamp=(Stamp.DATE,)),
    "variables": Change(variables=(("MAKEFLAGS", "-j1"), ("A", 'say "x"'))),
    "before": Change(before=("export TZ=UTC",)),
    "own folder": Change(before=("umask 022",), own_folder=True),
    "passes": Change(stabilize=True),
    "all": Change(
        modes=(Mode.FIXED_RANDOM,), stamp=(Stamp.DATE,), variables=(("A", "1"),), stabilize=True, before=("umask 022",), own_folder=True
    ),
}
REASONS = {key: [f"why {key}", "and [more] = 'so'"] for key in ("run", "modes", "stamp", "variables", "stabilize")}


def recipe(run: str, more: str = "") -> str:
    return HEAD + run + more + TAIL


@pytest.mark.parametrize("break_", ["\n", "\r\n"], ids=["unix", "dos"])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_change_is_there_and_all_else_is_as_it_was(change: str, run: str, break_: str) -> None:
    text = recipe(RUNS[run]).replace("\n", break_)
    edited = mended(text, "wheel", CHANGES[change], REASONS)
    before, after = tomllib.loads(text), tomllib.loads(edited)
    step = after["step"]["wheel"]
    for key in CHANGES[change].keys:
        assert edited.count(f"# why {key}") == 1, "the reason stands above the key"
    if CHANGES[change].modes:
        assert step["modes"] == list(CHANGES[change].modes)
    if CHANGES[change].variables:
        assert step["variables"] == dict(CHANGES[change].variables)
    assert step["outputs"] == ["dist", "out/report.json"]
    assert after["step"]["other"] == before["step"]["other"]
    for line in (*HEAD.splitlines(), *TAIL.splitlines()):
        assert line in edited.splitlines()
    parse_recipe(edited.encode())


def test_what_is_there_already_is_added_to() -> None:
    more = 'stamp = ["version"]\nvariables = { A = "1", B = false }  # two\nmodes = [ "single-cpu" ]\nstabilize = false # no\n'
    edited = mended(recipe(RUNS["line"], more), "wheel", CHANGES["all"], REASONS)
    step = tomllib.loads(edited)["step"]["wheel"]
    assert step["stamp"] == ["version", "date"]
    assert step["variables"] == {"A": "1", "B": False}
    assert step["modes"] == ["single-cpu", "fixed-random"]
    assert step["stabilize"] is True
    assert "# two" in edited
    assert "# no" in edited


def test_the_reason_stands_above_its_key_as_deep_as_it() -> None:
    lines = mended(recipe(RUNS["indented"]), "wheel", CHANGES["modes"], {"modes": ["why"]}).splitlines()
    at = lines.index('  modes = ["frozen-clock"]')
    assert lines[at - 1] == "  # why"
    assert lines[at - 2] == '  run = "make dist"'


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("[step.wheel]\n", "[step]\n") + 'wheel = { run = "x", outputs = ["y"] }\n',
        recipe(RUNS["line"], 'variables.A = "1"\n'),
        recipe(RUNS["line"]).replace("[step.other]", '[step.wheel.variables]\nA = "1"\n[step.other]'),
    ],
    ids=["inline step", "dotted variables", "table of variables"],
)
def test_what_cannot_be_edited_safely_is_refused(text: str) -> None:
    with pytest.raises(StepNotEdited) as caught:
        mended(text, "wheel", Change(variables=(("B", "2"),)), {})
    assert caught.value.details["step"] == "wheel"


def test_dotted_steps_are_edited_in_their_own_way() -> None:
    text = HEAD.replace("[step.wheel]\n", "[step]\n") + 'wheel.run = "x"\nwheel.outputs = ["y"]\n'
    edited = mended(text, "wheel", CHANGES["modes"], {})
    assert 'wheel.modes = ["frozen-clock"]\n' in edited


def test_a_list_of_arguments_is_handed_to_the_shell_as_it_is() -> None:
    found = changed_run(["make", "a b"], Change(before=("umask 022",)), [])
    assert found == ["/bin/sh", "-euc", 'umask 022\n"$@"\n', "sh", "make", "a b"]


def test_a_folder_of_its_own_is_made_once_and_outputs_are_brought_back() -> None:
    once = changed_run("make", Change(own_folder=True), [RelPath("dist"), RelPath("a b/c")])
    assert isinstance(once, str)
    assert "cp -a --parents -- dist 'a b/c'" in once
    assert changed_run(once, Change(own_folder=True), [RelPath("dist")]) == once


def test_changes_add_up() -> None:
    found = together([CHANGES["all"], CHANGES["before"], CHANGES["variables"], Change()])
    assert found.before == ("umask 022", "export TZ=UTC")
    assert dict(found.variables) == {"A": 'say "x"', "MAKEFLAGS": "-j1"}
    assert found.own_folder
    assert Change().keys == ()
