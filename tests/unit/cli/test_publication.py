"""What people and programs are told about publishing."""

from types import SimpleNamespace
from typing import cast

import pytest

from lockage.cli.publication import publication_document, publication_lines, repairing_command
from lockage.recipe.wanted import Wanted
from lockage.record.publication import Examined, Note, Obstacle
from lockage.work.prepare import Project

PLAIN = "shop-1.0-cp311-cp311-linux_x86_64.whl"
NOTED = Examined(artifact=PLAIN, package=True, notes=(Note(code=Obstacle.LINUX_TAG, artifact=PLAIN, reason="no index takes it"),))
GRAFTED = Examined(artifact="shop-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", package=True, grafted=("libz-1.so",))
OTHER = Examined(artifact="manual.tar.gz", package=False)


def project(*, inferred: bool) -> Project:
    return cast("Project", SimpleNamespace(recipe=SimpleNamespace(inferred=inferred)))


@pytest.mark.parametrize(("examined", "publishable"), [((), None), ((OTHER,), None), ((OTHER, GRAFTED), True), ((NOTED, GRAFTED), False)])
def test_publishable_is_said_of_packages_only(examined: tuple[Examined, ...], publishable: bool | None) -> None:
    assert publication_document(examined, None)["publishable"] is publishable


def test_a_program_gets_everything() -> None:
    document = publication_document((OTHER, NOTED, GRAFTED), "lockage build . --publishable")
    (note,) = document["notes"]
    assert list(note) == ["artifact", "code", "reason", "remedy"]
    assert (note["artifact"], note["code"], note["reason"]) == (PLAIN, "linux-tag", "no index takes it")
    assert document["grafted"] == [{"artifact": GRAFTED.artifact, "libraries": ("libz-1.so",)}]


def test_people_are_told_the_command_that_mends_it() -> None:
    assert publication_lines((OTHER,), None) == []
    mending = repairing_command("build", "my shop", project(inferred=True), Wanted(pythons=("3.11", "3.13")))
    assert publication_lines((NOTED, GRAFTED), mending) == [
        f"  {GRAFTED.artifact} carries libraries of its environment: libz-1.so",
        f"  unpublishable[linux-tag]: {PLAIN}: no index takes it",
        "    To publish it on an index: `lockage build 'my shop' --python 3.11 --python 3.13 --publishable` gives it a manylinux tag.",
    ]


def test_where_a_recipe_decides_there_is_no_such_command() -> None:
    assert repairing_command("release", ".", project(inferred=False), Wanted()) is None
    assert "docs/recipe.md" in publication_lines((NOTED,), None)[-1]
