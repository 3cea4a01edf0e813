"""What the documents tell a reader to type exists, with the options used; what they link to is there; versions agree."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from lockage import __version__
from lockage.cli.app import program

CHECKOUT = Path(__file__).parents[3]
PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "examples").rglob("*.md")])
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]


def commands(text: str) -> list[str]:
    """Every line that a reader types, without its comment, from the blocks that show a console."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [line[2:].partition(" # ")[0] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_can_be_typed(page: Path) -> None:
    for line in commands(page.read_text()):
        for part in line.split("&&"):
            name, *arguments = shlex.split(part)
            if name.startswith("./bin/"):
                assert (CHECKOUT / name).is_file(), line
            if name in ("lockage", "./bin/lockage"):
                context = click.Context(program, **program.context_settings)
                command = program.get_command(context, arguments[0])
                assert command is not None, line
                command.make_context(arguments[0], arguments[1:], parent=context)  # raises on what there is not


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("folder", ["docs", "docs/formats", "docs/adr"])
def test_every_page_is_in_the_index_of_its_folder(folder: str) -> None:
    text = (CHECKOUT / folder / "README.md").read_text()
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)}
    there = {page.name for page in (CHECKOUT / folder).glob("*.md")} - {"README.md"}
    assert there <= linked, f"not in {folder}/README.md: {sorted(there - linked)}"


def test_every_index_is_in_the_one_above_it() -> None:
    text = (CHECKOUT / "docs" / "README.md").read_text()
    folders = {page.parent.name for page in (CHECKOUT / "docs").glob("*/*.md")}
    assert all(f"]({folder}/README.md)" in text for folder in folders)


def test_the_tour_has_commands_at_all() -> None:
    assert len(commands((CHECKOUT / "README.md").read_text())) >= 12


def test_the_version_is_one() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"## {__version__}" in (CHECKOUT / "CHANGELOG.md").read_text()


def test_the_requirements_are_those_of_the_project() -> None:
    """`bin/relock` was run after the last change of pyproject.toml."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    for file, texts in (
        ("run.txt", project["dependencies"]),
        ("dev.txt", [*project["dependencies"], *project["optional-dependencies"]["dev"]]),
    ):
        locked = set(re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / "requirements" / file).read_text(), re.MULTILINE))
        assert {re.split(r"[ ;=<>]", text)[0] for text in texts} <= locked
