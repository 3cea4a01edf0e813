"""Writes a change of a step into the text of a lockage.toml, with the reasons as comments; all else stays as its author wrote it.

Invariant: the new text is parsed and compared with the old before it is handed out: nothing but the keys of that step has changed.
"""

from __future__ import annotations

import copy
import re
import tomllib
from typing import TYPE_CHECKING

from lockage.base.errors import Usage
from lockage.base.path import RelPath
from lockage.recipe.change import Change, changed_run
from lockage.recipe.lines import spans_of
from lockage.recipe.render import toml_array, toml_lines, toml_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.recipe.lines import Key, Span

__all__ = ["StepNotEdited", "mended"]


class StepNotEdited(Usage):
    """A step is written in lockage.toml in a way in which it cannot be changed without touching more."""

    code = "step-not-edited"
    hint = "Write the step as a [step.NAME] table with its keys on lines of their own, then try again."


def mended(text: str, step: str, change: Change, reasons: Mapping[str, Sequence[str]]) -> str:
    """The recipe's text with the change made to its step; ``reasons`` are comments by the key that they stand above.

    The text is a valid recipe that has the step. Raises :class:`StepNotEdited`.
    """
    before = tomllib.loads(text)
    table = before["step"].get(step)
    if not isinstance(table, dict) or "matrix" in table:
        raise StepNotEdited(
            f"step {step!r} is made by the matrix of a table of lockage.toml, and what is written there counts for all that it makes",
            hint="Make the change in the table by hand, or give the step a [step.NAME] table of its own.",
            step=step,
            keys=change.keys,
        )
    edited = text
    for key in change.keys:
        edited = _set(edited, step, key, _text(_wanted(table, key, change)), reasons.get(key, ()))
    expected = copy.deepcopy(before)
    for key in change.keys:
        expected["step"][step][key] = _wanted(table, key, change)
    try:
        if tomllib.loads(edited) == expected:
            return edited
    except tomllib.TOMLDecodeError:
        pass  # told the same way
    raise StepNotEdited(f"step {step!r} is written in lockage.toml in a way that is not edited safely", step=step, keys=change.keys)


def _wanted(table: Mapping[str, object], key: str, change: Change) -> object:
    """The value that a key of the step gets."""
    present = table.get(key)
    match key:
        case "run":
            assert isinstance(present, str | list)
            outputs = table.get("outputs", [])
            assert isinstance(outputs, list)
            return changed_run(present, change, [RelPath(output) for output in outputs])
        case "variables":
            given = present if isinstance(present, dict) else {}
            return {**given, **dict(change.variables)}
        case "stabilize":
            return True
        case _:
            listed = present if isinstance(present, list) else []
            return [*listed, *(str(item) for item in getattr(change, key) if item not in listed)]


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_lines(value)
        case list():
            return toml_array(value)
        case _:
            assert isinstance(value, dict)
            return toml_table(value)


def _set(text: str, step: str, key: str, value: str, reasons: Sequence[str]) -> str:
    spans = spans_of(text)
    path: Key = ("step", step, key)
    found = spans.get(path)
    if found is not None and not found.inline:
        return _above(text[: found.start] + value + text[found.end :], found.pair, reasons)
    run = spans[("step", step, "run")]
    if found is not None or run.inline or any(other[:3] == path for other in spans):
        raise StepNotEdited(f"`{key}` of step {step!r} is not written as one value on lines of its own", step=step, keys=(key,))
    return _behind(text, run, key, value, reasons)


def _above(text: str, pair: int, reasons: Sequence[str]) -> str:
    """Comments on lines of their own above the key that begins at ``pair``, as deep as it stands."""
    start = text.rfind("\n", 0, pair) + 1
    return text[:start] + _comments(text, start, text[start:pair], reasons) + text[start:]


def _behind(text: str, run: Span, key: str, value: str, reasons: Sequence[str]) -> str:
    """A new key on a line of its own behind the step's command, which every step has."""
    name = re.sub(r"[\"']?run[\"']?[ \t]*=[ \t]*$", f"{key} = ", text[run.pair : run.start])
    start = text.rfind("\n", 0, run.pair) + 1
    end = text.find("\n", run.end)
    end = len(text) if end < 0 else end + 1
    break_ = _break(text, start)
    opening = "" if text[:end].endswith("\n") else break_
    comments = _comments(text, start, text[start : run.pair], reasons)
    return f"{text[:end]}{opening}{comments}{text[start : run.pair]}{name}{value}{break_}{text[end:]}"


def _comments(text: str, start: int, indent: str, reasons: Sequence[str]) -> str:
    return "".join(f"{indent}# {reason}{_break(text, start)}" for reason in reasons)


def _break(text: str, start: int) -> str:
    return "\r\n" if text[start - 2 : start] == "\r\n" else "\n"
