"""Adds packages to an environment in the text of a lockage.toml; everything else of the text stays as its author wrote it.

Invariant: the new text is parsed and compared with the old before it is handed out: nothing but that one list has changed.
"""

from __future__ import annotations

import copy
import re
import tomllib
from typing import TYPE_CHECKING

from lockage.base.errors import Usage
from lockage.recipe.lines import spans_of
from lockage.recipe.render import toml_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.recipe.lines import Key, Span

__all__ = ["RecipeNotEdited", "add_packages"]

#: What may stand between an element and the comma behind it.
_TO_COMMA = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+,")
_REST_OF_LINE = re.compile(r"[^\n]*")


class RecipeNotEdited(Usage):
    """Packages could not be added to lockage.toml without touching more of it."""

    code = "recipe-not-edited"
    hint = "Add the packages named to `packages` of the environment in lockage.toml by hand, then run `lockage lock`."


def add_packages(text: str, environment: str, packages: Sequence[str]) -> str:
    """The recipe's text with packages that its environment does not name yet, at the end of its list, in the list's own layout.

    The text is a valid recipe that has the environment. Raises :class:`RecipeNotEdited`.
    """
    before = tomllib.loads(text)
    table = before["environment"].get(environment)
    if table is None or "matrix" in table:
        raise RecipeNotEdited(
            f"environment {environment!r} is made by the matrix of a table, so its packages are those of all that it makes",
            packages=tuple(packages),
            environment=environment,
        )
    present = table.get("packages", [])
    names = {_name(term) for term in present}
    wanted = [term for term in dict.fromkeys(packages) if _name(term) not in names]
    if not wanted:
        return text
    key: Key = ("environment", environment, "packages")
    spans = spans_of(text)
    if key in spans:
        edited = _into_list(text, spans[key], [spans[(*key, number)] for number in range(len(present))], wanted)
    else:
        edited = _new_list(text, spans[("environment", environment, "os")], wanted)
    _check(edited, before, environment, [*present, *wanted])
    return edited


def _name(term: str) -> str:
    """The name that a plain term asks for; a term with alternatives stands for itself alone."""
    return term if "|" in term else re.split(r"[ (:\[]", term, maxsplit=1)[0]


def _check(edited: str, before: dict[str, object], environment: str, packages: list[str]) -> None:
    expected = copy.deepcopy(before)
    environments = expected["environment"]
    assert isinstance(environments, dict)
    environments[environment]["packages"] = packages
    try:
        if tomllib.loads(edited) == expected:
            return
    except tomllib.TOMLDecodeError:
        pass  # told the same way
    raise RecipeNotEdited(
        f"the packages of environment {environment!r} are written in lockage.toml in a way that is not edited safely",
        packages=tuple(packages),
        environment=environment,
    )


def _into_list(text: str, whole: Span, elements: Sequence[Span], wanted: Sequence[str]) -> str:
    quoted = [toml_text(term) for term in wanted]
    if not elements:
        at = whole.start + 1
        return text[:at] + ", ".join(quoted) + text[at:]
    last = elements[-1]
    comma = _TO_COMMA.match(text, last.end, whole.end)
    start = text.rfind("\n", 0, last.start) + 1
    indent = text[start : last.start]
    if start <= whole.start or indent.strip():  # it does not begin its line, so new ones follow it in the line
        if comma:
            return text[: comma.end()] + "".join(f" {term}," for term in quoted) + text[comma.end() :]
        return text[: last.end] + "".join(f", {term}" for term in quoted) + text[last.end :]
    end = comma.end() if comma else last.end
    line = _line_end(text, end, whole.end - 1)
    break_ = "\r\n" if text[start - 2 : start] == "\r\n" else "\n"
    lines = "".join(f"{break_}{indent}{term}," for term in quoted)
    if comma:
        return text[:line] + lines + text[line:]
    return text[: last.end] + "," + text[last.end : line] + lines.removesuffix(",") + text[line:]


def _line_end(text: str, at: int, closing: int) -> int:
    """The end of the line, comment and all; but for the closing bracket if that stands in it."""
    found = _REST_OF_LINE.match(text, at)
    assert found is not None
    end = found.end() - text[at : found.end()].endswith("\r")
    return end if end <= closing else at


def _new_list(text: str, os: Span, wanted: Sequence[str]) -> str:
    """A list of its own, behind the environment's ``os``, which every environment has."""
    key = re.sub(r"[\"']?os[\"']?[ \t]*=[ \t]*$", "packages = ", text[os.pair : os.start])
    line = f"{key}[{', '.join(toml_text(term) for term in wanted)}]"
    if os.inline:
        return f"{text[: os.end]}, {line}{text[os.end :]}"
    end = _line_end(text, os.end, len(text))
    start = text.rfind("\n", 0, os.pair) + 1
    break_ = "\r\n" if text[end : end + 2] == "\r\n" else "\n"
    return text[:end] + break_ + text[start : os.pair] + line + text[end:]
