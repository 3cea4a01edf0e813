"""The records of runs, a folder with one file a run; ids count up and sort by age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical_of, decode
from lockage.base.digest import BlobRef
from lockage.base.errors import LockageError
from lockage.record.artifact import Run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LocalRuns"]


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    run: Run
    log: BlobRef


class LocalRuns:
    """Implements :class:`lockage.ports.Runs`. A record is information: losing one loses no release and no evidence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _ids(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.stem for path in self._folder.glob("run-*.json"))

    def put(self, run: Run, log: BlobRef) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        data = canonical_of(_Kept(run=run, log=log))
        ids = self._ids()
        number = int(ids[-1].removeprefix("run-")) + 1 if ids else 1
        while True:
            name = f"run-{number:06d}"
            try:
                with (self._folder / f"{name}.json").open("xb") as file:
                    file.write(data)
            except FileExistsError:
                number += 1
                continue
            return name

    def get(self, run_id: str) -> tuple[Run, BlobRef] | None:
        try:
            kept = decode((self._folder / f"{run_id}.json").read_bytes(), _Kept)
        except (FileNotFoundError, LockageError):
            return None
        return kept.run, kept.log

    def latest(self) -> str | None:
        ids = self._ids()
        return ids[-1] if ids else None
