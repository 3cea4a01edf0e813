"""Steps that a matrix makes, built over fakes: each stands for itself, and is touched by its own inputs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockage.base.name import StepName
from lockage.base.tree import read_tree
from lockage.plan.plan import NoSuchStep, make_plan, resolve
from lockage.work.build import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.memory.services import MemoryServices
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]

RECIPE = """
[matrix]
part = ["docs", "src", "data"]
[step.pack]
matrix = ["part"]
inputs = ["{part}/**"]
run = ["cat", "pack-{part}"]
outputs = ["pack-{part}"]
artifacts = ["pack-{part}"]
[step.all]
needs = ["pack"]
inputs = []
run = ["cat", "all"]
outputs = ["all"]
artifacts = ["all"]
"""
FILES = {"docs/a": b"1", "src/a": b"1", "data/a": b"1"}


def executed(services: MemoryServices, project: Project) -> list[str]:
    services.executor.ran.clear()
    build(services, make_plan(project.recipe, project.lock, project.source))
    return sorted(run.arguments[-1] for run in services.executor.ran)


def test_a_commit_touches_the_steps_whose_inputs_it_changes(services: MemoryServices, commit: Commit) -> None:
    assert executed(services, commit(services, FILES, recipe=RECIPE)) == ["all", "pack-data", "pack-docs", "pack-src"]
    assert executed(services, commit(services, {**FILES, "src/a": b"2"}, recipe=RECIPE)) == ["all", "pack-src"]
    assert executed(services, commit(services, {**FILES, "src/a": b"2", "other": b""}, recipe=RECIPE)) == []


def test_the_action_of_a_step_that_reads_only_docs_is_equal_whatever_else_a_commit_changes(
    services: MemoryServices, commit: Commit
) -> None:
    def action(files: dict[str, bytes]) -> object:
        project = commit(services, files, recipe=RECIPE)
        (planned,) = make_plan(project.recipe, project.lock, project.source, only=[StepName("pack-docs")]).steps
        return resolve(planned, read_tree(project.source.tree, services.blobs.get), {}).encoded.ref

    before = action(FILES)
    assert action({**FILES, "src/a": b"2", "src/new/b": b"3", "README": b"x"}) == before
    assert action({**FILES, "docs/b": b""}) != before


def test_a_step_sees_nothing_but_its_inputs(services: MemoryServices, commit: Commit) -> None:
    """An undeclared file cannot be read: it is not in the workspace."""
    project = commit(services, FILES, recipe=RECIPE)
    (planned,) = make_plan(project.recipe, project.lock, project.source, only=[StepName("pack-docs")]).steps
    resolved = resolve(planned, read_tree(project.source.tree, services.blobs.get), {})
    held = {**resolved.directories}
    assert [str(node.path) for node in read_tree(resolved.action.workspace, held.__getitem__)] == ["docs/a"]


def test_the_name_of_a_table_with_a_matrix_is_no_step_and_the_error_names_those_that_it_makes(
    services: MemoryServices, commit: Commit
) -> None:
    project = commit(services, FILES, recipe=RECIPE)
    with pytest.raises(NoSuchStep, match=r"no step 'pack'; .* pack-docs, pack-src, pack-data$"):
        make_plan(project.recipe, project.lock, project.source, only=[StepName("pack")])
