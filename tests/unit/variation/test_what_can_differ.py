"""docs/what-can-differ.md says what the code does: the contract's values, the axes that vary them, and what is recorded."""

import re
from pathlib import Path

import pytest

from lockage.cli.show_text import _HOST
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact
from lockage.variation import AXES
from lockage.variation.world import CONTRACT

PAGE = (Path(__file__).parents[3] / "docs" / "what-can-differ.md").read_text()
NAMES = {axis.name for axis in AXES}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def axes_of(text: str) -> set[str]:
    """The names of axes in a list of them, of which remarks in brackets are no part."""
    return {word.strip() for word in re.sub(r"\([^)]*\)", "", text).split(",") if word.strip()}


def test_every_axis_is_told_with_what_it_varies_and_no_other_is() -> None:
    fixed = set[str]().union(*(axes_of(row[2].rstrip("|")) for row in rows("Fixed by the contract")))
    handled = [row[2].rstrip("|") for row in rows("Exceptions")]
    lists = [names for text in handled for names in re.findall(r"varied(?: as far as libraries heed variables)?: ([^;|]*)", text)]
    varied = set[str]().union(*map(axes_of, lists)) - {"every rebuild", "every rebuild draws others"}
    assert fixed <= NAMES
    assert varied <= NAMES
    assert fixed | varied | set(re.findall(r"[a-z-]+", " ".join(handled))) >= NAMES


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("working directory", f"`{CONTRACT.build_path}`"),
        ("user, ids, groups", f"`{CONTRACT.user}`, {CONTRACT.uid}:{CONTRACT.gid}"),
        ("full name and login shell", f"`{CONTRACT.full_name}`, `{CONTRACT.login_shell}`"),
        ("home", f"`{CONTRACT.home}`, empty"),
        ("host name, NIS domain", f"`{CONTRACT.hostname}`, none"),
        ("time zone", f"`TZ={CONTRACT.timezone}`"),
        ("locale", f"`LC_ALL={CONTRACT.locale}`"),
        ("umask", f"{CONTRACT.umask:03o}"),
        ("temporary folder", f"`{CONTRACT.temporary}`, empty"),
        ("hash seeds of Python and Perl", f"`PYTHONHASHSEED={CONTRACT.hash_seed}`, `PERL_HASH_SEED={CONTRACT.perl_seed}`"),
    ],
)
def test_the_values_of_the_contract(what: str, value: str) -> None:
    (found,) = [row[1] for row in rows("Fixed by the contract") if row[0] == what]
    assert found == value


def test_what_is_recorded_is_told_by_its_names() -> None:
    table = rows("What is recorded")
    told = [fact for row in table for fact in re.findall(r"`([a-z-]+)`", row[0])]
    assert sorted(told) == sorted(map(str, HostFact))
    assert [word.strip() for row in table for word in row[1].split(",")] == [_HOST[fact] for fact in told]
    shown = PAGE.partition("\nran on\n")[2].partition("```")[0]
    assert [line[2:].partition("  ")[0] for line in shown.splitlines()] == list(_HOST.values())
    for kind in DeviationKind:
        assert f"`{kind}`" in PAGE
