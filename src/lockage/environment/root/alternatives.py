"""What packages' own scripts say to update-alternatives(1), read without being run.

Most scripts call it with literal arguments (dh_installalternatives(1) writes them). Understood are comments, continued lines,
quotes, plain assignments of literals, and loops over literal words; whatever else an argument is made of makes the call, or the slave, one
that is not understood and is left out. Conditions are not looked at: a candidate counts if the root has it.
"""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Alternative", "alternatives_of"]

_PROGRAM = "update-alternatives"
_ASSIGNMENT = re.compile(r"(?:local\s+)?([A-Za-z_][A-Za-z0-9_]*)=(\S*|\"[^\"]*\"|'[^']*')")
_LOOP = re.compile(r"for\s+([A-Za-z_][A-Za-z0-9_]*)\s+in\s+([^;]*?)\s*(?:;\s*do\b.*)?")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
#: What ends a simple command in a line (sh(1)).
_SEPARATORS = frozenset((";", "&&", "||", "|", "&", "then", "do", "fi", "done"))
#: More calls than any package makes: a script cannot make a root take for ever.
_MOST = 2000


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One call: ``link`` may lead to ``path``, with this priority; ``slaves`` are (link, path) that go along. All are absolute."""

    name: str
    link: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str], ...] = ()


def alternatives_of(script: str) -> tuple[Alternative, ...]:
    """The calls of a maintainer script that are understood, in its order."""
    found: list[Alternative] = []
    for words in _calls(script):
        alternative = _alternative(words)
        if alternative is not None:
            found.append(alternative)
        if len(found) == _MOST:
            break
    return tuple(found)


def _calls(script: str) -> Iterator[list[str]]:
    """The words after every mention of the program that is a command, with variables replaced."""
    variables: dict[str, str] = {}
    loops: list[tuple[str, tuple[str, ...]] | None] = []
    for line in re.sub(r"\\\n", " ", script).split("\n"):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        loop = _LOOP.fullmatch(text)
        if loop is not None:
            words = _replaced(loop[2], variables)
            loops.append(None if words is None else (loop[1], tuple(words.replace('"', " ").split())))
            continue
        if re.match(r"done\b", text) and loops:
            loops.pop()
            continue
        assignment = _ASSIGNMENT.fullmatch(text)
        if assignment is not None:
            value = _replaced(assignment[2].strip("\"'"), variables)
            if value is None or "`" in value or "$" in value:
                variables.pop(assignment[1], None)
            else:
                variables[assignment[1]] = value
            continue
        if _PROGRAM in text:
            for values in _values(loops, variables):
                yield from _commands(text, values)


def _values(loops: Sequence[tuple[str, tuple[str, ...]] | None], variables: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The variables in each turn of the innermost loop; once where there is none, or its words are not known."""
    loop = loops[-1] if loops else None
    if loop is None:
        yield variables
        return
    for word in loop[1]:
        yield {**variables, loop[0]: word}


def _commands(text: str, variables: Mapping[str, str]) -> Iterator[list[str]]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return
    for at, word in enumerate(words):
        if word.rpartition("/")[2] == _PROGRAM and (at == 0 or words[at - 1].endswith(";") or words[at - 1] in _SEPARATORS):
            rest = takewhile(lambda each: each not in _SEPARATORS, words[at + 1 :])
            yield [value if (value := _replaced(each.removesuffix(";"), variables)) is not None else "" for each in rest]


def _replaced(text: str, variables: Mapping[str, str]) -> str | None:
    """The text with its variables replaced; None if something else would have to be evaluated."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        known = variables.get(match[1] or match[2])
        missing = missing or known is None
        return known or ""

    found = _VARIABLE.sub(value, text)
    return None if missing or "$" in found or "`" in found else found


def _alternative(words: Sequence[str]) -> Alternative | None:
    """The call that these words are the arguments of; None if it installs nothing, or is not understood."""
    words = [word for word in words if word not in ("--quiet", "--force", "--verbose")]
    if len(words) < 5 or words[0] != "--install" or not re.fullmatch("-?[0-9]+", words[4]):
        return None
    link, name, path, priority = words[1:5]
    if not (link.startswith("/") and path.startswith("/") and name):
        return None
    slaves = []
    rest = words[5:]
    while len(rest) >= 4 and rest[0] == "--slave":
        if rest[1].startswith("/") and rest[3].startswith("/"):
            slaves.append((rest[1], rest[3]))
        rest = rest[4:]
    return Alternative(name=name, link=link, path=path, priority=int(priority), slaves=tuple(slaves))
