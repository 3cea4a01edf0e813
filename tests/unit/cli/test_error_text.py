"""Errors that quote the line they are about: for people, as JSON, and for GitHub."""

import json

import pytest

from lockage.base.errors import Usage
from lockage.base.excerpt import Excerpt, excerpt_of
from lockage.cli.error_text import error_document, error_lines, marks
from lockage.cli.screen import show_error
from lockage.policy.policy import InvalidPolicy, parse_policy
from lockage.recipe.backend import InvalidProject, quoting, read_backend, read_pyproject
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.parse import parse_recipe
from lockage.wiring.terminal import Log, Terminal

RECIPE = b"""\
[project]
name = "shop"
[environment.build]
os = "debian:bookworm"
packages = ["gcc", "no such"]
[step.wheel]
environment = "biuld"
run = "make"
outputs = ["dist"]
\tmeomry = 1
"""
PLAIN = Terminal()


def recipe_error(data: bytes = RECIPE) -> InvalidRecipe:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe(data)
    return caught.value


def text(error: Usage, terminal: Terminal = PLAIN) -> str:
    return "\n".join(error_lines(error, terminal))


def test_all_faults_each_with_its_line() -> None:
    assert (
        text(recipe_error())
        == """\
error[invalid-recipe]: 3 faults in lockage.toml
  lockage.toml:5:20: environment.build.packages[1]: not a Debian package or dependency such as "gcc" or "libfoo-dev (>= 1.2)": 'no such'
    5 │ packages = ["gcc", "no such"]
      │                    ^^^^^^^^^
  lockage.toml:7:1: step.wheel.environment: there is no environment "biuld"; did you mean "build"?
    7 │ environment = "biuld"
      │ ^^^^^^^^^^^
  lockage.toml:10:2: step.wheel.meomry: unknown key; did you mean "memory"?
    10 │  meomry = 1
       │  ^^^^^^
hint: Correct the lines listed; docs/recipe.md says what each key may hold."""
    )


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"[project]\nname = shop\n", "lockage.toml:2:8: not TOML: Invalid value\n    2 │ name = shop\n      │        ^"),
        (b'[project]\nname = "sh\n', "lockage.toml:2:11: not TOML: Illegal character '\\n'\n    2 │ name = \"sh\n      │           ^"),
        (b"a = [1,\n\n", "lockage.toml:1:8: not TOML: Invalid value\n    1 │ a = [1,\n      │        ^"),
    ],
    ids=["value", "text", "end"],
)
def test_what_is_not_toml_has_its_line_too(data: bytes, shown: str) -> None:
    hint = "hint: Correct the syntax; text values stand in double quotes."
    assert text(recipe_error(data)) == f"error[invalid-recipe]: {shown}\n{hint}"


def test_a_recipe_that_is_not_utf8_has_no_line_to_show() -> None:
    assert text(recipe_error(b"a = 1\nb = '\xff'\n")).startswith("error[invalid-recipe]: lockage.toml:2: not UTF-8: byte 0xff\n")


def test_faults_of_a_pyproject() -> None:
    data = b'[project]\nname = "x"\n[build-system]\nrequires = ["a >> 1"]\nbuild-backend = "a b"\n'
    with pytest.raises(InvalidProject) as caught, quoting(data):
        read_backend(read_pyproject(data))
    shown = text(caught.value)
    assert "  pyproject.toml:4:1: build-system.requires: not a Python requirement" in shown
    assert '    5 │ build-backend = "a b"\n      │ ^^^^^^^^^^^^^\n' in shown
    with pytest.raises(InvalidProject) as caught:
        read_pyproject(b"[project\n")
    assert "pyproject.toml:1:9: not TOML" in text(caught.value)
    with pytest.raises(InvalidProject) as caught:
        read_pyproject(b"\xff\n")
    assert caught.value.excerpts == ()


def test_faults_of_a_policy() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(b'channel = "dev"\n[[gates]]\ngate = "tests"\n[[gates]]\ngate = "tetss"\n', "dev.toml")
    assert "dev.toml:5:1: gates[2].gate: no gate is called 'tetss'" in text(caught.value)
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(b"channel = dev\n", "dev.toml")
    assert "dev.toml:1:11: not TOML" in text(caught.value)


def test_as_json_the_places_are_fields(capsys: pytest.CaptureFixture[str]) -> None:
    error = recipe_error()
    assert show_error(error, as_json=True) == 2
    excerpts = json.loads(capsys.readouterr().out)["error"]["excerpts"]
    assert excerpts[0] == {
        "file": "lockage.toml",
        "line": 5,
        "column": 20,
        "width": 9,
        "text": 'packages = ["gcc", "no such"]',
        "message": f"{error.faults[0].key}: {error.faults[0].message}",
    }
    assert "excerpts" not in error_document(Usage("x"))["error"]


def shown(excerpt: Excerpt, terminal: Terminal) -> list[str]:
    error = Usage("x", hint="Y.")
    error.excerpts = (excerpt,)
    return list(error_lines(error, terminal))


def test_numbers_of_a_limit_are_told_once_and_as_people_write_them() -> None:
    limit = Usage(
        "it took 98.8 MiB, more than its limit of 64.0 MiB", hint="Raise it.", limit="memory", allowed=67108864, reached=103546880
    )
    assert "67108864" not in text(limit)
    assert "  limit: memory" in text(limit)
    assert error_document(limit)["error"]["details"]["allowed"] == 67108864
    assert "  allowed: 3" in text(Usage("no", hint="Do.", allowed=3))


def test_a_long_line_is_cut_around_its_place() -> None:
    excerpt = excerpt_of("a" * 300 + "!" + "b" * 80, file="f", line=1, column=301, message="m")
    lines = shown(excerpt, Terminal(width=40))
    assert all(len(line) <= 40 for line in lines)
    assert lines[1][lines[2].index("^")] == "!"
    lines = shown(excerpt_of("x = 1" + "b" * 80, file="f", line=1, column=5, width=81, message="m"), Terminal(width=40))
    assert all(len(line) <= 40 for line in lines)
    assert lines[1].endswith("...")


def test_what_a_terminal_would_obey_is_not_passed_on() -> None:
    lines = shown(excerpt_of("a\x1b[2J\tb", file="f", line=1, column=7, message="m"), PLAIN)
    assert lines[1] == "    1 │ a?[2J b"
    assert lines[2] == "      │       ^"


def test_characters_of_two_columns_are_counted() -> None:
    assert shown(excerpt_of("日本 = x", file="f", line=1, column=6, message="m"), PLAIN)[2] == "      │        ^"


def test_a_place_that_is_not_there_is_the_nearest() -> None:
    found = excerpt_of("one\ntwo\n\n", file="f", line=99, column=99, message="m")
    assert (found.line, found.column, found.text) == (2, 4, "two")
    assert excerpt_of("", file="f", line=1, column=1, message="m").place == "f:1:1"


def test_colour_and_ascii() -> None:
    lines = shown(excerpt_of("x = 1", file="f", line=1, column=5, message="m"), Terminal(colour=True, unicode=False))
    assert lines == [
        "\x1b[1;31merror[usage]\x1b[0m: f:1:5: m",
        "    1 | x = 1",
        "      |     \x1b[1;31m^\x1b[0m",
        "\x1b[1;36mhint\x1b[0m: Y.",
    ]


def test_github_shows_faults_beside_their_lines() -> None:
    github = Terminal(log=Log.GITHUB)
    assert list(marks(recipe_error(), github))[1] == (
        "::error file=lockage.toml,line=7,col=1,title=lockage%3A invalid-recipe::"
        'step.wheel.environment: there is no environment "biuld"; did you mean "build"?'
    )
    error = Usage("50% of\nit, gone", hint="Go.", file="a,b:c")
    assert list(marks(error, github)) == ["::error file=a%2Cb%3Ac,title=lockage%3A usage::50%25 of%0Ait, gone%0AGo."]
    assert list(marks(error, Terminal(log=Log.GITLAB))) == []
