"""The projects below the top of a repository that is none itself."""

from __future__ import annotations

import pytest

from lockage.recipe.backend import NotAProject
from lockage.recipe.projects import naming_projects, projects_below


def test_the_outermost_directories_with_a_project_are_named() -> None:
    paths = ["README", "b/pyproject.toml", "a/c/setup.py", "a/c/inner/pyproject.toml", "a-b/lockage.toml", "a/x.py", "tests/p/setup.py"]
    assert projects_below(paths) == ("a/c", "a-b", "b")
    assert projects_below(["tests/p/setup.py"]) == ("tests/p",)
    assert projects_below(["setup.py", "x/a.py"]) == ()


@pytest.mark.parametrize(
    ("locator", "command"),
    [
        (".", "lockage build 'my api'"),
        ("../repo/", "lockage build '../repo/my api'"),
        ("https://example.org/r.git@v1", "lockage build 'https://example.org/r.git@v1#subdirectory=my api'"),
        ("repo@HEAD", "lockage build 'repo@HEAD#subdirectory=my api'"),
    ],
)
def test_the_command_to_type_names_the_project(locator: str, command: str) -> None:
    found = naming_projects(NotAProject("nothing there"), ["my api/setup.py"], locator)
    assert found.message == "nothing there; it holds a project below: my api"
    assert f"`{command}`" in found.hint
    assert found.details["projects"] == ("my api",)


def test_many_projects_are_counted_and_none_changes_nothing() -> None:
    error = NotAProject("nothing there")
    assert naming_projects(error, ["a/x.py"], ".") is error
    found = naming_projects(error, [f"p{number:02}/setup.py" for number in range(20)], ".")
    assert "20 projects" in found.message
    assert found.message.endswith(" and 12 more")
