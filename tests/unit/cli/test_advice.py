"""What a failed step says to type next can be typed: it is what was typed, with what is missing added."""

import shlex
from pathlib import Path

import click
import pytest

from lockage.base.errors import Detail
from lockage.cli.advice import advised
from lockage.cli.app import program
from lockage.work.build import StepNotDone


def failed(*typed: str, packages: tuple[str, ...] = ("libxml2-dev",), recipe: str = "inferred", **details: Detail) -> StepNotDone:
    error = StepNotDone(
        "step 'wheel' failed", hint="See its output.", step="wheel", environment="build", recipe=recipe, packages=packages, **details
    )
    advised(error, program, typed)
    return error


@pytest.mark.parametrize(
    ("typed", "added", "command"),
    [
        ("build lxml.tar.gz", (), "lockage build lxml.tar.gz --add libxml2-dev"),
        ("build lxml.tar.gz --json", (), "lockage build lxml.tar.gz --add libxml2-dev"),
        ("build --add a lxml.tar.gz --add=b --out D", ("a", "b"), "lockage build lxml.tar.gz --out D --add a --add b --add libxml2-dev"),
        ("build 'a b.tar.gz' --lock old.lock", ("a",), "lockage build 'a b.tar.gz' --add a --add libxml2-dev"),
        ("verify lxml.tar.gz --rounds 2", (), "lockage verify lxml.tar.gz --rounds 2 --add libxml2-dev"),
        ("init", (), "lockage init --add libxml2-dev"),
    ],
)
def test_the_command_of_an_inferred_build_is_typed_with_more(typed: str, added: tuple[str, ...], command: str, tmp_path: Path) -> None:
    (tmp_path / "old.lock").touch()
    typed = typed.replace("old.lock", str(tmp_path / "old.lock"))
    error = failed(*shlex.split(typed), added=added)
    assert error.details["command"] == command
    assert f"`{command}`" in error.hint
    context = click.Context(program, **program.context_settings)
    found = program.get_command(context, shlex.split(command)[1])
    assert found is not None
    assert found.make_context("x", shlex.split(command)[2:], parent=context).params["added"] == (*added, "libxml2-dev")


def test_a_second_failure_keeps_what_the_first_said() -> None:
    first = failed("build", "x.tar.gz").details["command"]
    assert isinstance(first, str)
    second = failed(*shlex.split(first)[1:], packages=("libxslt1-dev",), added=("libxml2-dev",)).details["command"]
    assert second == "lockage build x.tar.gz --add libxml2-dev --add libxslt1-dev"


def test_a_recipe_is_edited(tmp_path: Path) -> None:
    error = failed("build", str(tmp_path), recipe="lockage.toml")
    assert error.details["command"] == f"lockage lock {tmp_path} --environment build --add libxml2-dev"
    assert '"libxml2-dev"' in error.hint
    elsewhere = failed("build", "https://example.org/shop.git", recipe="lockage.toml")
    assert "command" not in elsewhere.details
    assert '[environment.build] in lockage.toml: "libxml2-dev"' in elsewhere.hint


def test_where_no_package_is_known_only_a_look_into_it_is_offered(tmp_path: Path) -> None:
    lock = tmp_path / "lockage.lock"
    lock.touch()
    error = failed("test", "src", "--lock", str(lock), packages=(), recipe="lockage.toml")
    assert "command" not in error.details
    assert error.details["shell"] == f"lockage shell wheel src --lock {lock}"
    assert error.hint == f"See its output. `lockage shell wheel src --lock {lock}` opens a prompt where it failed."
    assert failed("build", "--add", "a").details["shell"] == "lockage shell wheel --add a"
