"""A recipe with a matrix, through the program and real sandboxes: the names that it makes are those of every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

RECIPE = """
[matrix]
part = ["docs", "src"]
copy = { range = [1, 2] }

[step.pack]
matrix = ["part", "copy"]
environment = "build"
inputs = ["{part}/**"]
run = "ls {part} > pack-{part}-{copy}; echo ${HOME} {{part}} >> pack-{part}-{copy}"
outputs = ["pack-{part}-{copy}"]

[step.all]
environment = "build"
needs = ["pack"]
inputs = []
run = "mkdir all; cat pack-* > all/all.txt"
outputs = ["all"]
artifacts = ["all/*"]
"""
NAMES = ["pack-docs-1", "pack-docs-2", "pack-src-1", "pack-src-2", "all"]


def ready(shop: Store, recipe: str) -> None:
    for folder, name in (("docs", "a.md"), ("src", "b.py")):
        (shop.work / folder).mkdir(exist_ok=True)
        (shop.work / folder / name).write_text(name)
    shop.recipe(recipe)


def run(shop: Store) -> list[str]:
    """Which steps a build ran; the others were known."""
    found = shop("build", "--json", "--out", "out", expect=0).json
    return sorted(step["step"] for step in found["steps"] if not step["cached"])


def test_a_matrix_is_built_and_only_what_a_commit_changes_is_built_again(shop: Store) -> None:
    ready(shop, RECIPE)
    assert run(shop) == sorted(NAMES)
    text = (shop.work / "out" / "all.txt").read_text()
    assert text.count("{part}") == 4
    assert text.count("a.md") == 2
    assert run(shop) == []
    (shop.work / "src" / "c.py").write_text("c")
    shop.commit()
    assert run(shop) == ["all", "pack-src-1", "pack-src-2"]

    shop("logs", shop("build", "--json", "--out", "out", expect=0).json["run"], "pack-src-1", expect=0)
    assert shop("explain", "pack-docs-2", "--json", expect=0).json["state"] == "kept"
    completed = shop(expect=0, _LOCKAGE_COMPLETE="bash_complete", COMP_WORDS="lockage explain pack-", COMP_CWORD="2").stdout
    assert [name for name in NAMES if name in completed] == NAMES[:4]


def test_what_a_matrix_makes_is_not_edited(shop: Store) -> None:
    other = '[environment.on]\nmatrix = ["suite"]\nos = "debian:{suite}"\n'
    ready(shop, RECIPE.replace("[step.pack]", f'suite = ["bookworm"]\n{other}[step.pack]'))
    error = shop("lock", "--add", "gcc", "--environment", "on-bookworm", "--json", expect=2).error
    assert error["code"] == "recipe-not-edited"
    assert "made by the matrix" in error["message"]


def test_faults_of_a_matrix_stand_at_their_line(shop: Store) -> None:
    ready(shop, RECIPE.replace("ls {part}", "ls {prt}"))
    error = shop("build", "--json", expect=2).error
    assert error["code"] == "invalid-recipe"
    assert 'step.pack.run: the matrix has no "prt"; did you mean "part"?' in error["message"]
