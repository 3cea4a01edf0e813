"""The records of runs in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.ports.storage import Audit

if TYPE_CHECKING:
    from lockage.base.digest import BlobRef
    from lockage.ports.storage import Heard
    from lockage.record.artifact import Run

__all__ = ["MemoryRuns"]


class MemoryRuns:
    """Implements :class:`lockage.ports.Runs`. ``kept`` may be emptied by a test."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Run, BlobRef]] = {}

    def put(self, run: Run, log: BlobRef) -> str:
        run_id = f"run-{int((self.latest() or 'run-0')[4:]) + 1:06d}"
        self.kept[run_id] = (run, log)
        return run_id

    def get(self, run_id: str) -> tuple[Run, BlobRef] | None:
        return self.kept.get(run_id)

    def digest(self, run_id: str) -> Digest | None:
        found = self.kept.get(run_id)
        return None if found is None else Digest.of(canonical_of(found[0]) + str(found[1]).encode())

    def ids(self) -> tuple[str, ...]:
        return tuple(self.kept)

    def audit(self, heard: Heard) -> Audit:
        heard(0)
        return Audit(count=len(self.kept), size=0)

    def remove(self, run_id: str, *, dry: bool = False) -> int:
        there = run_id in self.kept
        if not dry:
            self.kept.pop(run_id, None)
        return int(there)

    def latest(self) -> str | None:
        return next(reversed(self.kept), None)

    def recent(self, limit: int) -> tuple[str, ...]:
        return tuple(reversed(self.kept))[:limit]
