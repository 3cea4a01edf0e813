"""Mitigations as data: each does something, for axes and causes that there are, and the most promising comes first."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.adapters.memory.store import MemoryBlobs
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.compare.blame import Blame
from lockage.compare.causes import CAUSES
from lockage.compare.mitigations import ITSELF, MITIGATIONS, Mitigation, candidates
from lockage.running.workspace import populate
from lockage.variation import AXES

if TYPE_CHECKING:
    from pathlib import Path

#: What no value that is pinned within a step can hide from it: for these there is only advice.
ADVICE_ONLY = {"group", "root-order", "kernel", "hostname"}


def blamed(cause: str, *axes: str) -> Blame:
    return Blame(
        artifact="a", member="", aspect="content", axes=axes, step=None, offset=0, length=1, place="", cause=cause, says="x", fix="Mend."
    )


@pytest.mark.parametrize("mitigation", MITIGATIONS, ids=lambda mitigation: mitigation.name)
def test_a_mitigation_changes_a_step_and_says_what_it_does(mitigation: Mitigation) -> None:
    assert mitigation.change_of([("A", "1")]).keys
    assert mitigation.does
    assert not mitigation.does.endswith(".")
    assert mitigation.axes
    assert set(mitigation.causes) <= {cause.name for cause in CAUSES} | {"ci-decides", "jobs-decide"}


def test_names_are_used_once() -> None:
    assert len({each.name for each in MITIGATIONS}) == len(MITIGATIONS)


@pytest.mark.parametrize("axis", sorted({axis for each in MITIGATIONS for axis in each.axes} & {axis.name for axis in AXES}))
def test_an_axis_is_not_mended_by_passes_alone(axis: str) -> None:
    assert ({each.name for each in candidates(blamed("unknown", axis))} - {"passes"} == set()) == (axis in ADVICE_ONLY)


def test_what_differs_by_itself_has_candidates() -> None:
    assert all(ITSELF in each.axes for each in candidates(blamed("random-value")))
    assert candidates(blamed("random-value"))[0].name == "fixed-random"
    assert candidates(blamed("memory-address"))[0].name == "fixed-addresses"
    assert candidates(blamed("current-time"))[0].name == "frozen-clock"


def test_a_level_of_an_axis_is_the_axis() -> None:
    assert candidates(blamed("local-time", "timezone=GMT-14")) == candidates(blamed("local-time", "timezone"))


def test_for_two_axes_that_interact_each_will_do() -> None:
    names = {each.name for each in candidates(blamed("user-written", "user", "timezone"))}
    assert {"time-zone", "user-name"} <= names


def test_the_dangerous_comes_last_but_where_it_is_made_for_the_cause() -> None:
    assert MITIGATIONS[-1].name == "fixed-random"
    assert candidates(blamed("process-number"))[-1].name == "fixed-random"


def test_the_declared_variables_are_named_and_instruments_are_kept() -> None:
    (one,) = (each for each in MITIGATIONS if each.declared_only)
    (line,) = one.change_of([("ALPHA", "1"), ("BETA", "2")]).before
    assert "'ALPHA|BETA|PWD|" in line
    assert "LD_PRELOAD" in line
    assert msgspec.structs.replace(one, declared_only=False).change_of([]) == one.change


@pytest.mark.parametrize("modes", ["plain", "shared", "private"])
def test_modes_of_the_source_are_the_contracts_whatever_they_were(modes: str, tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    files = [FileNode(RelPath(f"parts/{name}"), blobs.put(b""), executable=name == "run") for name in ("a", "run")]
    ref, directories = Tree.of(files).encode()
    blobs.put_many(directories.values())
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        populate(folder, ref, blobs, order="sorted", time=315532800, modes=modes)
    finally:
        os.close(folder)
    (one,) = (each for each in MITIGATIONS if each.name == "source-modes")
    subprocess.run(["sh", "-ec", "\n".join(one.change_of([]).before)], cwd=tmp_path, check=True)
    assert [f"{(tmp_path / path).stat().st_mode & 0o7777:o}" for path in ("parts", "parts/a", "parts/run")] == ["755", "644", "755"]
