"""The records of runs, a folder with one file a run, whole or absent; ids count up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage import durable
from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.ports import StoreUnreadable
from lockage.record.artifact import Run

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.ports.storage import Audit, Heard

__all__ = ["LocalRuns"]

_FILE = re.compile(r"run-([0-9]{6,})\.json")
#: What stands behind the name of a record that could not be read: it is kept, and its number not used again.
_DAMAGED = ".damaged"


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    run: Run
    log: BlobRef


class LocalRuns:
    """Implements :class:`lockage.ports.Runs`. A record is information: losing one loses no release and no evidence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: What was put last, by its file's name and digest: a build reads its own record, which may be that of thousands of steps.
        self._put: tuple[str, Digest, _Kept] | None = None

    def _numbers(self) -> list[int]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        return sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name.removesuffix(_DAMAGED))))

    def put(self, run: Run, log: BlobRef) -> str:
        with durable.locked_folder(self._folder):
            numbers = self._numbers()
            run_id = f"run-{numbers[-1] + 1 if numbers else 1:06d}"
            data = canonical_of(kept := _Kept(run=run, log=log))
            durable.write_file(self._folder / f"{run_id}.json", data)
            self._put = f"{run_id}.json", Digest.of(data), kept
        return run_id

    def get(self, run_id: str) -> tuple[Run, BlobRef] | None:
        file = f"{run_id}.json"
        if not _FILE.fullmatch(file):
            return None
        try:
            data = (self._folder / file).read_bytes()
            put = self._put
            kept = put[2] if put is not None and put[:2] == (file, Digest.of(data)) else decode(data, _Kept)
        except (FileNotFoundError, InvalidDocument):
            return None
        except OSError as error:
            raise _unreadable(self._folder / file, error) from error
        return kept.run, kept.log

    def digest(self, run_id: str) -> Digest | None:
        file = f"{run_id}.json"
        if not _FILE.fullmatch(file):
            return None
        try:
            return Digest.of((self._folder / file).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self._folder / file, error) from error

    def latest(self) -> str | None:
        return next((run_id for number in reversed(self._numbers()) if self._there(run_id := f"run-{number:06d}")), None)

    def _there(self, run_id: str) -> bool:
        return (self._folder / f"{run_id}.json").exists()

    def ids(self) -> tuple[str, ...]:
        return tuple(run_id for number in self._numbers() if self.get(run_id := f"run-{number:06d}") is not None)

    def audit(self, heard: Heard) -> Audit:
        from lockage.ports.storage import Audit, Damage  # no build needs them

        count, size, damaged = 0, 0, []
        for number in self._numbers():
            run_id = f"run-{number:06d}"
            path = self._folder / f"{run_id}.json"
            if not path.exists():
                continue  # it was set aside before
            count, size = count + 1, size + path.stat().st_size
            heard(path.stat().st_size)
            if self.get(run_id) is None:
                aside = path.with_name(path.name + _DAMAGED)
                with durable.unwritable(self._folder):
                    path.rename(aside)
                damaged.append(Damage(name=run_id, what="is no record of a run", aside=str(aside)))
        return Audit(count=count, size=size, damaged=tuple(damaged))

    def remove(self, run_id: str, *, dry: bool = False) -> int:
        path = self._folder / f"{run_id}.json"
        with durable.unwritable(self._folder):
            try:
                size = path.stat().st_size
                if not dry:
                    path.unlink()
            except FileNotFoundError:
                return 0
        return size

    def recent(self, limit: int) -> tuple[str, ...]:
        return tuple(f"run-{number:06d}" for number in reversed(self._numbers()[-limit:]))


def _unreadable(path: Path, error: OSError) -> StoreUnreadable:
    return StoreUnreadable(f"cannot read {path}: {error.strerror}", folder=str(path))
