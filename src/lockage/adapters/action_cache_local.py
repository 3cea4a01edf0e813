"""The action cache as files: ``ab/cdef…-SIZE``, each an action's result under its own checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage import durable
from lockage.base.canonical import canonical, canonical_of, decode_hook, parse
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.record.result import ActionResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.ports.storage import Audit, Heard

__all__ = ["LocalActionCache"]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sha256`` is over the canonical form of the result alone."""

    action: str
    result: ActionResult
    sha256: Digest


class LocalActionCache:
    """Implements :class:`lockage.ports.ActionCache`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool = durable.Spool(folder / "tmp")

    def _path(self, action: BlobRef) -> Path:
        return self._folder / action.digest[:2] / f"{action.digest[2:]}-{action.size}"

    def get(self, action: BlobRef) -> ActionResult | None:
        try:
            data = self._path(action).read_bytes()
            document = parse(data)
            entry = msgspec.convert(document, _Entry, dec_hook=decode_hook)
        except (OSError, LockageError, msgspec.ValidationError):
            return None
        # What was written is checked, not what it would be written as today: an older lockage knew fewer fields of a result.
        if entry.action != str(action) or entry.sha256 != Digest.of(canonical(document["result"])) or data != canonical(document):
            return None
        return entry.result

    def put(self, action: BlobRef, result: ActionResult) -> None:
        entry = _Entry(action=str(action), result=result, sha256=Digest.of(canonical_of(result)))
        path = self._path(action)
        with durable.unwritable(self._folder):
            durable.ensure_folder(path.parent)
            self._spool.write(path, canonical_of(entry))

    def _files(self) -> Iterator[tuple[Path, BlobRef]]:
        """Every entry's file, and the action that its name says."""
        for path in sorted(self._folder.glob("[0-9a-f][0-9a-f]/*-*")):
            rest, _, size = path.name.rpartition("-")
            try:
                yield path, BlobRef.parse(f"{path.parent.name}{rest}/{size}")
            except ValueError:
                continue  # nobody asks for it

    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        for _, action in self._files():
            found = self.get(action)
            if found is not None:
                yield action, found

    def audit(self, heard: Heard) -> Audit:
        from lockage.ports.storage import Audit, Damage  # no build needs them

        count, size, damaged = 0, 0, []
        aside = self._folder / "damaged"
        with durable.unwritable(self._folder):
            for path, action in self._files():
                try:
                    read = path.stat().st_size
                except FileNotFoundError:
                    continue
                count, size = count + 1, size + read
                heard(read)
                if self.get(action) is None:
                    durable.ensure_folder(aside)
                    path.rename(aside / f"{path.parent.name}{path.name}")
                    damaged.append(Damage(name=str(action), what="does not fit its checksum", aside=str(aside)))
        return Audit(count=count, size=size, damaged=tuple(damaged))
