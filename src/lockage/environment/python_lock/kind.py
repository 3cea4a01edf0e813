"""Which tool a lock file is of: its name says it."""

from __future__ import annotations

import re
from enum import StrEnum

__all__ = ["LockKind", "kind_of"]


class LockKind(StrEnum):
    """The formats that can be read."""

    UV = "uv.lock"
    POETRY = "poetry.lock"
    PDM = "pdm.lock"
    PYLOCK = "pylock.toml"
    REQUIREMENTS = "requirements.txt"


def kind_of(name: str) -> LockKind:
    """The kind of a file by its name; raises ValueError. Named variants are ``pylock.NAME.toml`` (PEP 751) and any ``*.txt``."""
    file = name.rpartition("/")[2]
    if file in (LockKind.UV, LockKind.POETRY, LockKind.PDM):
        return LockKind(file)
    if re.fullmatch(r"pylock\.(?:[^.]+\.)?toml", file):
        return LockKind.PYLOCK
    if file.endswith(".txt"):
        return LockKind.REQUIREMENTS
    raise ValueError(f"not the name of a lock file that can be taken over: {name[:80]!r}; known are {', '.join(LockKind)}")
