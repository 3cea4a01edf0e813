"""What the passes say of one file and of everything in it, gathered by pass, until a report is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.change import Changes, within
from lockage.stabilize.model import Fault, PassReport

if TYPE_CHECKING:
    from lockage.stabilize.compressor import Compressor

__all__ = ["Notes", "PassNotes"]

#: Folding keeps the report of a wheel whose RECORD is of another wheel small.
_FAULTS = 50


class PassNotes:
    """What one pass noted."""

    __slots__ = ("changes", "compressor", "faults", "kept", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.changes = Changes()
        self.faults: list[Fault] = []
        self.compressor: Compressor | None = None
        self.kept: str | None = None


class Notes:
    """Notes by pass, in the order in which the passes first ran."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[str, PassNotes] = {}

    def of(self, name: str, version: int) -> PassNotes:
        """The notes of one pass."""
        return self._of.setdefault(name, PassNotes(version))

    def adopt(self, prefix: str, other: Notes) -> None:
        """Take over the notes on the member ``prefix``."""
        for name, theirs in other._of.items():
            ours = self.of(name, theirs.version)
            ours.changes.adopt(prefix, theirs.changes)
            ours.faults += [Fault(code=fault.code, path=within(prefix, fault.path), message=fault.message) for fault in theirs.faults]
            ours.compressor = ours.compressor or theirs.compressor

    def reports(self) -> tuple[PassReport, ...]:
        """A report for every pass that ran."""
        return tuple(
            PassReport(
                name=name,
                version=noted.version,
                changes=noted.changes.listed(),
                faults=_folded(noted.faults),
                compressor=noted.compressor,
                kept=noted.kept,
            )
            for name, noted in self._of.items()
        )


def _folded(faults: list[Fault]) -> tuple[Fault, ...]:
    if len(faults) <= _FAULTS:
        return tuple(faults)
    more = Fault(code="more-faults", path="", message=f"{len(faults) - _FAULTS} more faults")
    return (*faults[:_FAULTS], more)
