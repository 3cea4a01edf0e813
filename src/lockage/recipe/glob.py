"""Patterns over the paths of a tree: which inputs a step sees, which outputs become artifacts.

Invariants: a pattern is matched against whole paths, by code points, with no folding of case and no exception for names
that begin with a dot; the order of patterns has no meaning; what is selected depends on the paths alone. The meaning of
each form is in docs/recipe.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lockage.base.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockage.base.path import RelPath

__all__ = ["InvalidPattern", "check_pattern", "check_patterns", "literal_head", "plain_folder", "reaches", "select"]

_MAGIC = frozenset("*?[")
#: Everything deeper than this many `**` is slow to match and never meant.
_MOST_DEEP = 8


class InvalidPattern(ValueError):
    """A pattern that can select nothing, or whose meaning would be a guess."""


def check_pattern(pattern: str) -> None:
    """Raise :class:`InvalidPattern` with the reason unless this is a pattern."""
    _segments(pattern.removeprefix("!"))


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise :class:`InvalidPattern` unless some pattern selects: exclusions alone leave nothing to exclude from."""
    if patterns and all(pattern.startswith("!") for pattern in patterns):
        raise InvalidPattern("only exclusions; add a pattern that selects, such as '**'")


def select(tree: Tree, patterns: Sequence[str]) -> tuple[Tree, tuple[str, ...]]:
    """The nodes that some pattern selects and no ``!`` pattern excludes, and the selecting patterns that gave nothing.

    Directories that hold nothing any more are not kept. Raises :class:`InvalidPattern`.
    """
    match = _compiled(tuple(patterns))
    chosen = []
    hit = set()
    for node in tree.nodes:
        found = match(node.path)
        if found is not None:
            chosen.append(node)
            hit.add(found.lastindex)
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unmatched = tuple(
        pattern
        for number, pattern in enumerate(wanted, 1)
        if number not in hit and not _selects_any(pattern, (node.path for node in chosen))
    )
    return Tree(tuple(chosen)), unmatched


def plain_folder(pattern: str) -> tuple[str, bool] | None:
    """For a pattern that means a path and all below it, or only all below it: that path, and whether it counts itself; else None.

    The path is empty where all is meant. Raises :class:`InvalidPattern`.
    """
    segments, below = _segments(pattern)
    *heads, last = segments
    if any(segment == "**" or _MAGIC.intersection(segment) for segment in heads):
        return None
    if last == "**":
        return None if below else ("/".join(heads), False)
    return None if _MAGIC.intersection(last) else ("/".join(segments), not below)


def literal_head(pattern: str) -> str:
    """The folder that holds all that a pattern can select, empty for the top. Raises :class:`InvalidPattern`."""
    heads = []
    for segment in _segments(pattern)[0][:-1]:
        if segment == "**" or _MAGIC.intersection(segment):
            break
        heads.append(segment)
    return "/".join(heads)


def reaches(pattern: str, folder: RelPath) -> bool:
    """Whether a pattern can select ``folder`` or something below it."""
    segments, below = _segments(pattern)
    parts = folder.parts
    for segment, part in zip(segments, parts, strict=False):
        if segment == "**":
            return True
        if re.fullmatch(_segment_regex(segment), part, re.DOTALL) is None:
            return False
    return len(segments) >= len(parts) or below or not _MAGIC.intersection(segments[-1])


def _selects_any(pattern: str, paths: Iterable[str]) -> bool:
    match = re.compile(_regex(pattern), re.DOTALL).fullmatch
    return any(match(path) for path in paths)


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    check_patterns(patterns)
    wanted = "|".join(f"({_regex(pattern)})" for pattern in patterns if not pattern.startswith("!"))
    unwanted = "|".join(_regex(pattern[1:]) for pattern in patterns if pattern.startswith("!"))
    if not wanted:
        wanted = r"(?!)"
    return re.compile(rf"(?!(?:{unwanted})\Z)(?:{wanted})\Z" if unwanted else rf"(?:{wanted})\Z", re.DOTALL).match


def _regex(pattern: str) -> str:
    """The expression of a pattern without its ``!``, to be matched against a whole path."""
    segments, below = _segments(pattern)
    *heads, last = segments
    parts = [r"(?:[^/]+/)*" if segment == "**" else _segment_regex(segment) + "/" for segment in heads]
    if last == "**":
        parts.append(".+" if not below else r"[^/]+/.+")
    else:
        parts.append(_segment_regex(last))
        if below:
            parts.append("/.+")
        elif not _MAGIC.intersection(last):
            parts.append("(?:/.+)?")
    return "".join(parts)


def _segments(pattern: str) -> tuple[list[str], bool]:
    """The segments, and whether a trailing slash asks for what is below a directory."""
    if not pattern:
        raise InvalidPattern("an empty pattern selects nothing")
    if "\0" in pattern or "\\" in pattern:
        raise InvalidPattern("a backslash or NUL cannot be part of a pattern; separate directories with '/'")
    below = pattern.endswith("/")
    segments: list[str] = []
    for segment in pattern.removesuffix("/").split("/"):
        if segment in ("", ".", ".."):
            raise InvalidPattern(
                "paths are relative to the top, without '.', '..' or empty segments" + (", '**' selects all" if pattern == "." else "")
            )
        if "**" in segment and segment != "**":
            raise InvalidPattern(f"'**' stands for whole directories; in {segment!r} write '*', or '**/' before it")
        if segment != "**":
            _segment_regex(segment)
        elif segments and segments[-1] == "**":
            continue  # two in a row mean the same as one, and one is matched in linear time
        segments.append(segment)
    if segments.count("**") > _MOST_DEEP:
        raise InvalidPattern(f"more than {_MOST_DEEP} times '**'")
    return segments, below


def _segment_regex(segment: str) -> str:
    out = []
    at = 0
    while at < len(segment):
        char = segment[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            text, at = _char_class(segment, at)
            out.append(text)
        else:
            out.append(re.escape(char))
    return "".join(out)


def _char_class(segment: str, at: int) -> tuple[str, int]:
    """The expression of ``[...]`` whose opening bracket is before ``at``, and where it ends; a first ``]`` stands for itself."""
    negated = segment.startswith("!", at)
    at += negated
    end = segment.find("]", at + 1)
    if end < 0:
        raise InvalidPattern(f"'[' without its ']' in {segment!r}; a literal bracket is '[[]'")
    body = segment[at:end]
    out = []
    while body:
        if len(body) >= 3 and body[1] == "-":
            low, high, body = body[0], body[2], body[3:]
            if low > high:
                raise InvalidPattern(f"the range {low}-{high} in {segment!r} is empty")
            out.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            out.append(re.escape(body[0]))
            body = body[1:]
    return f"(?!/)[{'^' if negated else ''}{''.join(out)}]", end + 1
