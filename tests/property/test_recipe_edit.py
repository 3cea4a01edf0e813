"""Packages added to random recipes: only the list changes, and every line that its author wrote stays."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockage.recipe.edit import add_packages
from lockage.recipe.parse import parse_recipe

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
comments = st.sampled_from(["", '  # why, "quoted" and ] bracketed', " #", "\t# 'x' [ , "])
blanks = st.sampled_from(["", "\n", "\n\n", "\n  # a line of its own ] , [\n"])
quotes = st.sampled_from(['"', "'"])


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A list as people write them, and what it says."""
    items = draw(st.lists(names, max_size=4, unique=True))
    quote = draw(quotes)
    trailing = draw(st.booleans()) and bool(items)
    if draw(st.booleans()):
        gap = draw(st.sampled_from(["", " ", "  "]))
        inside = f",{gap}".join(f"{quote}{item}{quote}" for item in items) + ("," if trailing else "")
        return f"[{gap}{inside}{gap}]", items
    indent = draw(st.sampled_from(["", "  ", "    ", "\t"]))
    text = "["
    for number, item in enumerate(items):
        comma = "," if trailing or number + 1 < len(items) else ""
        text += f"{draw(blanks)}\n{indent}{quote}{item}{quote}{draw(st.sampled_from(['', ' ']))}{comma}{draw(comments)}"
    return f"{text}{draw(blanks)}\n{draw(st.sampled_from(['', indent]))}]", items


@st.composite
def recipes(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A recipe with two environments, of which `build` has the list; keys in any of the ways that TOML has for them."""
    text, items = draw(lists())
    os = '"debian:bookworm"'
    quoted = draw(st.sampled_from(["os", '"os"', "'os'"]))
    form = draw(st.sampled_from(["table", "table, list first", "none", "dotted", "dotted, none", "inline", "inline, none"]))
    one_line = text if "\n" not in text else "[]"
    items = items if "none" not in form and (not form.startswith("inline") or one_line == text) else []
    body = {
        "table": f"[environment.build]{draw(comments)}\n{quoted} = {os}{draw(comments)}\npackages = {text}{draw(comments)}\n",
        "table, list first": f'[environment."build"]\npackages = {text}\n{draw(blanks)}{quoted} = {os}\n',
        "none": f"[environment.build]\n  {quoted}={os}{draw(comments)}\n",
        "dotted": f"[environment]\nbuild.{quoted} = {os}\nbuild.packages = {text}\n",
        "dotted, none": f"[environment]\nbuild.{quoted} = {os}{draw(comments)}\n",
        "inline": f"[environment]\nbuild = {{ {quoted} = {os}, packages = {one_line} }}{draw(comments)}\n",
        "inline, none": f"[environment]\nbuild = {{{quoted} = {os}}}\n",
    }[form]
    head = f'{draw(blanks)}[project]\nname = "shop"\nversion = "1"\n{draw(blanks)}'
    other = '[environment.other]\nos = "debian:sid"\npackages = ["packages"]\n'
    tail = "[step.a]\nenvironment = \"build\"\nrun = '''\n[environment.build]\npackages = [\"no\"]\n'''\noutputs = [\"a\"]\n"
    whole = f"{head}{body}{other}{tail}" if draw(st.booleans()) or "[environment]" in body else f"{head}{other}{tail}{body}"
    return whole.replace("\n", "\r\n") if draw(st.booleans()) else whole, items


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recipes(), st.lists(names, min_size=1, max_size=3, unique=True))
def test_only_the_list_changes_and_no_line_is_lost(recipe: tuple[str, list[str]], wanted: list[str]) -> None:
    text, items = recipe
    before = tomllib.loads(text)
    assert before["environment"]["build"].get("packages", []) == items
    edited = add_packages(text, "build", wanted)
    after = tomllib.loads(edited)
    added = [name for name in wanted if name not in items]
    assert after["environment"]["build"].get("packages", []) == [*items, *added]
    if added:
        after["environment"]["build"].pop("packages")
    before["environment"]["build"].pop("packages", None) if added else None
    assert after == before
    parse_recipe(edited.encode())
    # What was written is still there, in its order; only characters came in between.
    rest = iter(edited)
    assert all(character in rest for character in text)
    assert add_packages(edited, "build", wanted) == edited, "added twice is added once"
    assert ("\r\n" in edited) == ("\r\n" in text)
    assert edited.count("\r\n") in (0, edited.count("\n"))


LAYOUTS = {
    "in a line": ('packages = ["gcc", "make"]  # few', 'packages = ["gcc", "make", "libfoo-dev"]  # few'),
    "empty": ("packages = []", 'packages = ["libfoo-dev"]'),
    "a line each": ('packages = [\n    "gcc",  # C\n    "make",\n]', 'packages = [\n    "gcc",  # C\n    "make",\n    "libfoo-dev",\n]'),
    "no last comma": ('packages = [\n  "gcc",\n  "make"  # it\n]', 'packages = [\n  "gcc",\n  "make",  # it\n  "libfoo-dev"\n]'),
    "several in a line": ('packages = [\n  "gcc", "make",\n]', 'packages = [\n  "gcc", "make", "libfoo-dev",\n]'),
    "closed in its line": ('packages = ["gcc",\n  "make"]', 'packages = ["gcc",\n  "make",\n  "libfoo-dev"]'),
    "none": ("# nothing", 'packages = ["libfoo-dev"]\n# nothing'),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_the_list_is_kept(layout: str) -> None:
    before, after = LAYOUTS[layout]
    head = '[environment.build]\nos = "debian:bookworm"\n'
    assert add_packages(f"{head}{before}\n", "build", ["libfoo-dev"]) == f"{head}{after}\n"


@pytest.mark.parametrize("term", ["libfoo-dev", "libfoo-dev (>= 1)", "libfoo-dev:any"])
def test_what_is_named_already_is_not_named_again(term: str) -> None:
    text = f'[environment.build]\nos = "debian:bookworm"\npackages = ["{term}"]\n'
    assert add_packages(text, "build", ["libfoo-dev"]) == text
