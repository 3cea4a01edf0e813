"""What can be wrong with another tool's lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["InvalidPythonLock", "UnusablePins"]


class InvalidPythonLock(Usage):
    """The file that `python-lock` names is missing, is no lock file of its kind, or does not have the group, extra or project asked for."""

    code = "invalid-python-lock"
    hint = "Correct `python-lock` and what stands beside it in lockage.toml, or write the file anew with its own tool."

    @classmethod
    def unknown(cls, file: str, what: str, name: str, known: Iterable[str]) -> InvalidPythonLock:
        """The error for a group or extra that the file does not have."""
        return cls(f"{file} has no {what} {name!r}; it has {', '.join(sorted(known)) or 'none'}", file=file)


class UnusablePins(Usage):
    """Packages of another tool's lock file cannot be taken over, because no wheel of an index stands for them; all are listed."""

    code = "unusable-pins"
    hint = "Lock versions that have wheels for the environment, leave them out by `groups`, or put wheels on an index of your own."
