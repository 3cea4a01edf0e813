"""The meaning of patterns, form by form (docs/recipe.md, "Patterns")."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.digest import EMPTY_BLOB
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, Tree
from lockage.recipe.glob import InvalidPattern, check_pattern, check_patterns, reaches, select

PATHS = (
    "Makefile",
    "a.py",
    ".hidden",
    "src/a.py",
    "src/pkg/b.py",
    "src/pkg/data/c.txt",
    "src/.h/d",
    "docs/x y.md",
    "docs/new\nline",
    "srcx/e",
)


def tree(*paths: str) -> Tree:
    return Tree.of(FileNode(RelPath(path), EMPTY_BLOB) for path in paths)


def chosen(*patterns: str, paths: tuple[str, ...] = PATHS) -> set[str]:
    return {str(node.path) for node in select(tree(*paths), patterns)[0]}


@pytest.mark.parametrize(
    ("pattern", "selected"),
    [
        ("**", set(PATHS)),
        ("*", {"Makefile", "a.py", ".hidden"}),
        ("*.py", {"a.py"}),
        ("**/*.py", {"a.py", "src/a.py", "src/pkg/b.py"}),
        ("src", {"src/a.py", "src/pkg/b.py", "src/pkg/data/c.txt", "src/.h/d"}),
        ("src/", {"src/a.py", "src/pkg/b.py", "src/pkg/data/c.txt", "src/.h/d"}),
        ("src/**", {"src/a.py", "src/pkg/b.py", "src/pkg/data/c.txt", "src/.h/d"}),
        ("src/*", {"src/a.py"}),
        ("src/*/", {"src/pkg/b.py", "src/pkg/data/c.txt", "src/.h/d"}),
        ("src/**/", {"src/pkg/b.py", "src/pkg/data/c.txt", "src/.h/d"}),
        ("src/**/*.txt", {"src/pkg/data/c.txt"}),
        ("**/pkg", {"src/pkg/b.py", "src/pkg/data/c.txt"}),
        ("**/a.py", {"a.py", "src/a.py"}),
        ("**/**/a.py", {"a.py", "src/a.py"}),
        ("Makefile", {"Makefile"}),
        ("Makefile/", set()),
        ("?.py", {"a.py"}),
        ("src?a.py", set()),
        ("[ab].py", {"a.py"}),
        ("[!a].py", set()),
        ("[a-c].p[x-z]", {"a.py"}),
        ("src[/]a.py", None),
        ("docs/x y.md", {"docs/x y.md"}),
        ("docs/*", {"docs/x y.md", "docs/new\nline"}),
        ("makefile", set()),
        ("SRC/**", set()),
        ("a.p", set()),
    ],
)
def test_what_a_pattern_selects(pattern: str, selected: set[str] | None) -> None:
    if selected is None:
        with pytest.raises(InvalidPattern):
            check_pattern(pattern)
    else:
        assert chosen(pattern) == selected


def test_exclusions_win_whatever_the_order() -> None:
    assert chosen("src", "!**/*.txt") == chosen("!**/*.txt", "src") == {"src/a.py", "src/pkg/b.py", "src/.h/d"}
    assert chosen("**", "!src/pkg", "src/pkg/b.py") == chosen("**", "!src/pkg")


def test_patterns_that_give_nothing_are_named_and_exclusions_never() -> None:
    assert select(tree(*PATHS), ("src", "nope", "*.md", "!gone"))[1] == ("nope", "*.md")
    assert select(tree(*PATHS), ("src", "src/a.py", "**"))[1] == ()
    assert select(tree("src/a"), ("src", "!src/a"))[1] == ("src",)


def test_directories_are_selected_by_name_and_not_left_over() -> None:
    found = Tree.of([Directory(RelPath("empty")), FileNode(RelPath("d/x"), EMPTY_BLOB)])
    assert select(found, ("empty",))[0].nodes == (Directory(RelPath("empty")),)
    assert select(found, ("**",))[0] == found
    assert select(found, ("**", "!d/x"))[0].nodes == (Directory(RelPath("empty")),)


def test_no_patterns_select_nothing() -> None:
    assert select(tree(*PATHS), ()) == (Tree(()), ())


@pytest.mark.parametrize(
    "pattern",
    ["", "!", "/", "/a", "a//b", ".", "./a", "../a", "a/..", "a**", "**a/b", "[", "[a", "a[]", "[z-a]", "a\\b", "a\0", "**/a/" * 9],
)
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        check_pattern(pattern)


def test_exclusions_alone_are_refused() -> None:
    with pytest.raises(InvalidPattern, match="only exclusions"):
        check_patterns(("!a", "!b"))
    check_patterns(())
    check_patterns(("a", "!b"))


@pytest.mark.parametrize(
    ("pattern", "folder", "reached"),
    [
        ("dist/*.whl", "dist", True),
        ("dist", "dist", True),
        ("dist", "dist/wheels", True),
        ("dist/", "dist/wheels", True),
        ("dist/*.whl", "dist/wheels", False),
        ("**/*.whl", "dist", True),
        ("*/x", "dist", True),
        ("*", "dist/wheels", False),
        ("*/", "dist/wheels", True),
        ("*.whl", "dist", False),
        ("out/*.whl", "dist", False),
        ("d?st/**", "dist", True),
    ],
)
def test_whether_a_pattern_reaches_a_folder(pattern: str, folder: str, reached: bool) -> None:
    assert reaches(pattern, RelPath(folder)) is reached


NAMES = st.text("ab.[]-!^*?é\n", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=8, unique=True)


def as_tree(paths: list[str]) -> Tree:
    return tree(*[path for path in paths if not any(other.startswith(f"{path}/") for other in paths)])


@given(TREES)
def test_two_stars_select_everything(paths: list[str]) -> None:
    """ "`**` alone selects everything"."""
    assert select(as_tree(paths), ("**",))[0] == as_tree(paths)


@given(TREES)
def test_any_path_can_be_named_with_its_special_characters_in_brackets(paths: list[str]) -> None:
    """ "a special character stands for itself in brackets"."""
    for node in as_tree(paths):
        pattern = "".join(f"[{char}]" if char in "*?[" else char for char in node.path)
        if not pattern.startswith("!"):
            assert select(as_tree(paths), (pattern,))[0].nodes == (node,)


@given(NAMES, st.text("ab.*?", min_size=1, max_size=6).filter(lambda text: "**" not in text and text not in (".", "..")))
def test_a_segment_without_classes_means_what_it_means_to_the_shell(name: str, pattern: str) -> None:
    assert bool(chosen(pattern, paths=(name,))) == fnmatch.fnmatchcase(name, pattern)


@given(TREES, st.lists(st.sampled_from(["**", "*", "a", "a/", "**/b", "?/**", "!a", "!**/b", "!*.*"]), max_size=4))
def test_the_order_of_patterns_has_no_meaning_and_selecting_twice_changes_nothing(paths: list[str], patterns: list[str]) -> None:
    try:
        check_patterns(patterns)
    except InvalidPattern:
        return
    once = select(as_tree(paths), patterns)[0]
    assert select(as_tree(paths), patterns[::-1])[0] == once
    assert select(once, patterns)[0] == once
    assert Tree.of(once.nodes) == once


@given(TREES, st.sampled_from(["**", "*", "a", "a/", "**/b", "?/**", "a/*/b", "*/a/", "**/a/**"]))
def test_what_is_selected_is_reached(paths: list[str], pattern: str) -> None:
    for node in select(as_tree(paths), (pattern,))[0]:
        assert reaches(pattern, node.path)
        parent = node.path.parent
        while parent is not None:
            assert reaches(pattern, parent)
            parent = parent.parent
