"""What is to blame for a difference, as lines for people."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lockage.compare.render import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.compare.blame import Blame, Blamed

__all__ = ["blame_lines"]


def blame_lines(blamed: Blamed) -> Iterator[str]:
    """Every cause: what made it differ, where, and what mends it."""
    for one in blamed.found:
        yield f"why: {one.cause}: {one.says}"
        yield f"  varied: {' with '.join(one.axes) or 'nothing; it differs by itself'}"
        yield f"  where:  {_where(one)}"
        if one.process is not None:
            yield f"  by:     {_command(one.process)}"
        yield f"  mend:   {one.fix}"
    if blamed.unobserved is not None:
        yield f"  which process wrote it is not known: {printable(blamed.unobserved)}"
    if blamed.exhausted:
        yield f"  not everything could be told apart in {blamed.rebuilds} rebuilds; mend what is named, and verify again"


_SHOWN = 160


def _command(argv: tuple[str, ...]) -> str:
    """A command line as it would be typed, cut when long."""
    text = printable(" ".join(shlex.quote(word) for word in argv))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _where(one: Blame) -> str:
    parts = [one.artifact]
    if one.member:
        parts.append(one.member)
    if one.offset is not None:
        parts.append(f"{one.length} bytes from byte {one.offset} on" + (f" ({one.place})" if one.place else ""))
    else:
        parts.append(one.aspect)
    if one.step is not None:
        parts.append(f"first in step {one.step}")
    if one.members > 1:
        parts.append(f"and {one.members - 1} more")
    return ", ".join(parts)
