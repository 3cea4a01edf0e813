"""The action cache as files: ``ab/cdef…-SIZE``, each an action's result under its own checksum."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage import durable
from lockage.base.canonical import canonical, canonical_of, decode_hook, parse
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.record.result import ActionResult

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from lockage.base.instant import Instant
    from lockage.ports.storage import Audit, Heard

__all__ = ["LocalActionCache"]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sha256`` is over the canonical form of the result alone."""

    action: str
    result: ActionResult
    sha256: Digest


def _entry(action: BlobRef, result: bytes) -> bytes:
    """The canonical form of an entry around that of its result: keys in their order, and text that needs no escape."""
    return b'{"action":"%b","result":%b,"sha256":"%b"}' % (str(action).encode(), result, Digest.of(result).encode())


class LocalActionCache:
    """Implements :class:`lockage.ports.ActionCache`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = str(folder)
        self._spool = durable.Spool(folder / "tmp")
        self._shards: set[str] = set()

    def _place(self, action: BlobRef) -> str:
        """The path of an entry; a build asks for thousands."""
        return f"{self._text}{os.sep}{action.digest[:2]}{os.sep}{action.digest[2:]}-{action.size}"

    def _path(self, action: BlobRef) -> Path:
        return Path(self._place(action))

    def get(self, action: BlobRef) -> ActionResult | None:
        place = self._place(action)
        if not os.access(place, os.F_OK):  # most are asked for in vain
            return None
        try:
            data = Path(place).read_bytes()
            document = parse(data)
            entry = msgspec.convert(document, _Entry, dec_hook=decode_hook)
        except (OSError, LockageError, msgspec.ValidationError):
            return None
        # What was written is checked, not what it would be written as today: an older lockage knew fewer fields of a result.
        if entry.action != str(action) or entry.sha256 != Digest.of(canonical(document["result"])) or data != canonical(document):
            return None
        return entry.result

    def holds(self, actions: Sequence[BlobRef]) -> bool:
        top = f"{self._text}{os.sep}"  # there may be tens of thousands, so no object is made for any of them
        return all(os.access(f"{top}{one.digest[:2]}{os.sep}{one.digest[2:]}-{one.size}", os.F_OK) for one in actions)

    def put(self, action: BlobRef, result: ActionResult) -> None:
        self.put_many([(action, result)])

    def put_soon(self, action: BlobRef, result: ActionResult) -> None:
        self.put(action, result)

    def settle(self) -> None:
        """Nothing waits here."""

    def put_many(self, results: Iterable[tuple[BlobRef, ActionResult]]) -> None:
        staged: list[durable.Staged] = []
        paths: list[str] = []
        with durable.unwritable(self._folder):
            try:
                for action, result in results:
                    paths.append(self._place(action))
                    self._ensure_shard(action.digest[:2])
                    staged.append(self._spool.stage(0o444))
                    staged[-1].write(_entry(action, canonical_of(result)))
                    staged[-1].finish(0o444)
            except BaseException:
                for item in staged:
                    item.discard()
                raise
            if staged:
                self._spool.publish(staged, paths)

    def _ensure_shard(self, name: str) -> None:
        """This folder of entries, durable itself."""
        if name not in self._shards:
            durable.ensure_folder(self._folder / name)
            self._shards.add(name)

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

    def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:
        gone: dict[BlobRef, int] = {}
        with durable.unwritable(self._folder):
            for path, action in self._files():
                with suppress(FileNotFoundError):
                    state = path.stat()
                    if action in needed or state.st_mtime >= before:
                        continue
                    if not dry:
                        path.unlink()
                    gone[action] = state.st_size
        return gone

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
