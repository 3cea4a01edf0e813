"""Fetch inputs in actions: files of the workspace like all others, and nothing where a step names none."""

from __future__ import annotations

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR
from lockage.base.name import EnvironmentName, FetchName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree, read_tree
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.plan.plan import InputsCollide, PlannedStep, make_plan, resolution_key, resolve
from lockage.recipe.model import FetchInput, Recipe, Step, VersionFrom
from lockage.record.source import CommitOrigin, Source

DECLARATION = Declaration(os=OsBase(distribution="debian", suite="bookworm"))
LOCK = Lock(
    environments={
        "build": LockedEnvironment(
            declaration=DECLARATION.digest,
            os=DECLARATION.os,
            architecture="amd64",
            release_date="2026-11-01",
            release_sha256=Digest.of(b"Release"),
            root=RootRef(tree=BlobRef.of(b"root"), metadata=Digest.of(b"root")),
            packages=(),
        )
    }
)
FILES = Tree.of([FileNode(RelPath("src/a.py"), BlobRef.of(b"a"))])
SOURCE = Source(tree=FILES.ref, date=ZIP_FLOOR, version=Version("1.0"), origin=CommitOrigin(commit="0" * 40))
DATA, TOOL = BlobRef.of(b"the data"), BlobRef.of(b"a tool")
DATA_INPUT = FetchInput(name=FetchName("data"), urls=("https://a.example/d",), sha256=DATA.digest, path=RelPath("vendor/data"))
TOOL_INPUT = FetchInput(name=FetchName("tool"), urls=("https://a.example/t",), sha256=TOOL.digest, path=RelPath("tool"), executable=True)
KEPT = {DATA.digest: DATA, TOOL.digest: TOOL}


def planned(*fetches: FetchInput, names: tuple[str, ...] | None = None) -> PlannedStep:
    step = Step(
        name=StepName("a"),
        environment=EnvironmentName("build"),
        run=("make",),
        outputs=(RelPath("out"),),
        fetch=tuple(FetchName(name) for name in ([found.name for found in fetches] if names is None else names)),
    )
    recipe = Recipe(
        project=ProjectName("shop"), version=VersionFrom(rule="tag"), environments={"build": DECLARATION}, steps=(step,), fetches=fetches
    )
    return make_plan(recipe, LOCK, SOURCE).steps[0]


def action(one: PlannedStep) -> BlobRef:
    return resolve(one, FILES, {}, KEPT).encoded.ref


def key(one: PlannedStep) -> Digest:
    return resolution_key(one, SOURCE.tree, {})


def test_the_workspace_holds_what_was_fetched() -> None:
    resolved = resolve(planned(DATA_INPUT, TOOL_INPUT), FILES, {}, KEPT)
    tree = read_tree(resolved.action.workspace, resolved.directories.__getitem__)
    assert {str(node.path): (node.blob, node.executable) for node in tree if isinstance(node, FileNode)} == {
        "src/a.py": (BlobRef.of(b"a"), False),
        "vendor/data": (DATA, False),
        "tool": (TOOL, True),
    }


def test_an_input_that_a_step_does_not_name_changes_nothing() -> None:
    bare = planned()
    for other in (planned(DATA_INPUT, names=()), planned(DATA_INPUT, TOOL_INPUT, names=())):
        assert (action(other), key(other)) == (action(bare), key(bare))


def test_where_it_came_from_is_not_part_of_the_action() -> None:
    moved = msgspec.structs.replace(DATA_INPUT, urls=("file:///elsewhere",), name=FetchName("other"), limit=1)
    assert (action(planned(moved)), key(planned(moved))) == (action(planned(DATA_INPUT)), key(planned(DATA_INPUT)))


@pytest.mark.parametrize("change", [{"sha256": TOOL.digest}, {"path": RelPath("other")}, {"executable": True}])
def test_what_a_step_sees_is(change: dict[str, object]) -> None:
    other = msgspec.structs.replace(DATA_INPUT, **change)
    assert action(planned(other)) != action(planned(DATA_INPUT))
    assert key(planned(other)) != key(planned(DATA_INPUT))


@pytest.mark.parametrize("path", ["src/a.py", "src", "src/a.py/b"])
def test_a_file_of_the_source_at_its_path_collides(path: str) -> None:
    with pytest.raises(InputsCollide, match=r"step 'a': .*src") as caught:
        action(planned(msgspec.structs.replace(DATA_INPUT, path=RelPath(path))))
    assert caught.value.details["step"] == "a"
