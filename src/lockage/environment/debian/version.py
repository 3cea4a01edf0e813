"""Debian version numbers as sortable keys (Debian policy 5.6.12).

Invariant: ``version_key(a) < version_key(b)`` exactly where dpkg says that a is older than b.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["VersionKey", "satisfies", "version_key"]

VersionKey = tuple[int, tuple[str | int, ...], tuple[str | int, ...]]

_FORM = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z.+~:-]*?)(?:-([0-9A-Za-z.+~]*))?")
_DIGITS = re.compile(r"([0-9]+)")

#: Sorts after the mapped tilde and before every other character: "the tilde sorts before everything, even the end of a part".
_END = "\x02"
#: "the letters sort earlier than all the non-letters"; the tilde first of all.
_ORDER = {ord(char): chr(ord(char) + 256) for char in ".+-:"} | {ord("~"): "\x01"}


def _part(text: str) -> tuple[str | int, ...]:
    pieces = _DIGITS.split(text)
    if pieces[-1] or len(pieces) == 1:
        pieces += ["0", ""]  # a missing number counts as zero
    return tuple(int(piece) if at & 1 else piece.translate(_ORDER) + _END for at, piece in enumerate(pieces))


@lru_cache(maxsize=1 << 16)
def version_key(text: str) -> VersionKey:
    """The key to sort by; raises ValueError if ``text`` is not a Debian version."""
    match = _FORM.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"not a Debian version: {text[:80]!r}")
    epoch, upstream, revision = match.groups()
    if epoch is None and ":" in upstream:
        raise ValueError(f"not a Debian version, for its epoch is not a number: {text[:80]!r}")
    return int(epoch or 0), _part(upstream), _part(revision or "")


def satisfies(version: str, operator: str, bound: str) -> bool:
    """Whether ``version OPERATOR bound`` holds; operators are those of policy 7.1 (``<<``, ``<=``, ``=``, ``>=``, ``>>``)."""
    have, want = version_key(version), version_key(bound)
    if operator == "=":
        return have == want
    if operator in (">=", "<="):
        return have >= want if operator == ">=" else have <= want
    if operator in (">>", "<<"):
        return have > want if operator == ">>" else have < want
    raise ValueError(f"not a version relation: {operator!r}")
