"""The action cache as packs of many entries, each an action's result under its own checksum.

Older stores have files of one entry, ``ab/cdef…-SIZE``: they are read, and nothing is written there any more. So what a pack says of an
action is newer than what such a file says, and of packs the latest counts.
"""

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
from lockage.packs import Packs, rows
from lockage.ports import StoreUnwritable
from lockage.record.result import ActionResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from lockage.base.instant import Instant
    from lockage.packs import Pack
    from lockage.ports.storage import Audit, Damage, Heard

__all__ = ["LocalActionCache"]

#: What every entry begins with.
_BEGIN = b'{"action":"'
#: Packs of fewer entries are put together by a sweep, if there are more than one.
_SMALL = 1 << 12
#: A pack may be put together with others between being found and being read.
_LOOKS = 3
_SECOND = 1_000_000_000


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sha256`` is over the canonical form of the result alone."""

    action: str
    result: ActionResult
    sha256: Digest


def _entry(action: BlobRef, result: bytes) -> bytes:
    """The canonical form of an entry around that of its result: keys in their order, and text that needs no escape."""
    return b'{"action":"%b","result":%b,"sha256":"%b"}' % (str(action).encode(), result, Digest.of(result).encode())


class LocalActionCache:
    """Implements :class:`lockage.ports.ActionCache`. ``begin`` is called before the first entry of a store is written."""

    def __init__(self, folder: Path, *, begin: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._text = str(folder)
        self.packs = Packs(folder / "packs", durable.Spool(folder / "tmp"), begin=begin, unreadable=self._unreadable, ordered=True)
        #: Folders of entries that are files, once one was looked for.
        self._shards: set[str] | None = None
        #: Whether a pack was written here since they were last put together.
        self._packing = False
        #: What was found damaged where nobody asked for it, until an audit tells of it.
        self._unheard: list[Damage] = []

    def _place(self, action: BlobRef) -> str:
        """The path of an entry that is a file; a build asks for thousands."""
        return f"{self._text}{os.sep}{action.digest[:2]}{os.sep}{action.digest[2:]}-{action.size}"

    def get(self, action: BlobRef) -> ActionResult | None:
        try:
            data = self._packed(action) or self._apart(action)
        except OSError:
            return None
        return None if data is None else _result(data, action)

    def _packed(self, action: BlobRef) -> bytes | None:
        for _ in range(_LOOKS):
            place = self.packs.found(action.digest)
            data = None if place is None else place[0].read(place[1], place[2])
            if place is None or data is not None:
                return data
        return None

    def _apart(self, action: BlobRef) -> bytes | None:
        """From a file of its own, of which no new ones are written."""
        if self._shards is None:
            self._shards = {path.name for path in self._folder.glob("[0-9a-f][0-9a-f]")}
        if action.digest[:2] not in self._shards:
            return None
        place = self._place(action)
        return Path(place).read_bytes() if os.access(place, os.F_OK) else None  # no exception for what is nearly always so

    def holds(self, actions: Sequence[BlobRef]) -> bool:
        looks: dict[Pack, bool] = {}
        with suppress(OSError):
            self.packs.refresh()
            return all(self._holds(action, looks) for action in actions)
        return False

    def _holds(self, action: BlobRef, looks: dict[Pack, bool]) -> bool:
        place = self.packs.find(action.digest)
        if place is not None:
            if place[0] not in looks:
                looks[place[0]] = place[0].looks() is not None
            if looks[place[0]]:
                return True
        return os.access(self._place(action), os.F_OK)

    def put(self, action: BlobRef, result: ActionResult) -> None:
        self.put_many([(action, result)])

    def put_soon(self, action: BlobRef, result: ActionResult) -> None:
        self.put(action, result)

    def settle(self) -> None:
        """Nothing waits here; but packs that were written may be put together."""
        if self._packing:
            from lockage.packs.mending import tidy  # only those who wrote need it

            self._packing = False
            with suppress(OSError, StoreUnwritable):  # everything is kept as it is
                tidy(self.packs, self._folder, self.packs.latest, _is_named)

    def put_many(self, results: Iterable[tuple[BlobRef, ActionResult]]) -> None:
        entries = {str(action.digest): _entry(action, canonical_of(result)) for action, result in results}
        if entries:
            with durable.unwritable(self._folder):
                self.packs.add(entries)
            self._packing = True

    def _files(self) -> Iterator[tuple[Path, BlobRef]]:
        """Every entry's file, and the action that its name says."""
        for path in sorted(self._folder.glob("[0-9a-f][0-9a-f]/*-*")):
            rest, _, size = path.name.rpartition("-")
            try:
                yield path, BlobRef.parse(f"{path.parent.name}{rest}/{size}")
            except ValueError:
                continue  # nobody asks for it

    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        packed: set[str] = set()
        with suppress(OSError):
            for pack, name, data in self._rows():
                if self.packs.latest(pack, name):
                    packed.add(name)
                    action = _action(name, data)
                    result = None if action is None else _result(data, action)
                    if action is not None and result is not None:
                        yield action, result
        for _, action in self._files():
            found = None if action.digest in packed else self.get(action)
            if found is not None:
                yield action, found

    def _rows(self) -> Iterator[tuple[Pack, str, bytes]]:
        """What is in packs: all of it, also what a later one says anew."""
        for pack in self.packs.all():
            data = pack.read(0, pack.size)
            if data is not None:
                yield from ((pack, name, part) for name, part in rows(pack, data))

    def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:
        gone: dict[BlobRef, int] = {}
        if not self._folder.is_dir():
            return gone
        with durable.unwritable(self._folder):
            for path, action in self._files():
                with suppress(FileNotFoundError):
                    state = path.stat()
                    if action in needed or state.st_mtime >= before:
                        continue
                    if not dry:
                        path.unlink()
                    gone[action] = state.st_size
            if dry:
                return gone | self._swept({action.digest for action in needed}, before, dry=True)
        with durable.locked_folder(self._folder), durable.unwritable(self._folder):
            return gone | self._swept({action.digest for action in needed}, before, dry=False)

    def _swept(self, needed: Collection[str], before: Instant, *, dry: bool) -> dict[BlobRef, int]:
        """The entries of packs that go: their packs are written anew without them."""
        from lockage.packs.mending import together  # no build needs it

        gone: dict[BlobRef, int] = {}
        chosen: set[str] = set()
        looks = [(pack, pack.looks()) for pack in self.packs.all()]
        old = [pack for pack, look in looks if look is not None and look[0] < before * _SECOND]
        for pack, name, data in self._rows():
            if pack not in old:
                continue
            if not self.packs.latest(pack, name):
                chosen.add(pack.name)
            elif name not in needed:
                chosen.add(pack.name)
                action = _action(name, data)
                if action is not None:
                    gone[action] = len(data)
        if not dry:
            if len(old) > 1:
                chosen.update(pack.name for pack in old if len(pack.table) < _SMALL)

            def wanted(pack: Pack, name: str) -> bool:
                return name in needed and self.packs.latest(pack, name)

            for pack in together(self.packs, [pack for pack in old if pack.name in chosen], wanted, _is_whole):
                self.packs.remove(pack)
            self.packs.refresh()
        return gone

    def audit(self, heard: Heard) -> Audit:
        from lockage.packs.mending import mend  # no build needs them
        from lockage.ports.storage import Audit, Damage

        count, size, damaged = 0, 0, []
        aside = self._folder / "damaged"
        with durable.unwritable(self._folder):
            for path, action in self._files():
                try:
                    read = path.stat().st_size
                    data = path.read_bytes()
                except FileNotFoundError:
                    continue
                count, size = count + 1, size + read
                heard(read)
                if _result(data, action) is None:
                    durable.ensure_folder(aside)
                    path.rename(aside / f"{path.parent.name}{path.name}")
                    damaged.append(Damage(name=str(action), what="does not fit its checksum", aside=str(aside)))
            self.packs.forget()
            for pack in self.packs.all():
                whole = pack.read(0, pack.size)
                if whole is None:
                    continue
                count, size = count + len(pack.table), size + sum(pack.table.sizes)
                heard(pack.size)
                stray = [str(_action(name, part) or name) for name, part in rows(pack, whole) if not _is_whole(name, part)]
                if stray:
                    mend(self.packs, Path(pack.path), aside, _is_whole)
                    damaged += [Damage(name=name, what="does not fit its checksum", aside=str(aside)) for name in stray]
        unheard, self._unheard = self._unheard, []
        return Audit(count=count, size=size, damaged=(*damaged, *unheard))

    def _unreadable(self, path: Path) -> None:
        from lockage.packs.mending import mend  # no build needs them
        from lockage.ports.storage import Damage

        aside = self._folder / "damaged"
        mend(self.packs, path, aside, _is_whole)
        self._unheard.append(Damage(name=path.name, what="is no whole pack", aside=str(aside)))


def _result(data: bytes, action: BlobRef) -> ActionResult | None:
    """The result in an entry of that action; None if it is damaged."""
    try:
        document = parse(data)
        entry = msgspec.convert(document, _Entry, dec_hook=decode_hook)
    except (LockageError, msgspec.ValidationError):
        return None
    # What was written is checked, not what it would be written as today: an older lockage knew fewer fields of a result.
    if entry.action != str(action) or entry.sha256 != Digest.of(canonical(document["result"])) or data != canonical(document):
        return None
    return entry.result


def _action(name: str, data: bytes) -> BlobRef | None:
    """The action that an entry under that name says that it is of."""
    text, quote, _ = data[len(_BEGIN) :].partition(b'"')
    with suppress(ValueError):
        action = BlobRef.parse(text.decode()) if data.startswith(_BEGIN) and quote else None
        return action if action is not None and action.digest == name else None
    return None


def _is_named(name: str, data: bytes) -> bool:
    """Whether bytes begin as an entry of the action of that name does; whoever takes it sees whether it is whole."""
    return data.startswith(_BEGIN + name.encode())


def _is_whole(name: str, data: bytes) -> bool:
    """Whether bytes are an entry of the action of that name."""
    action = _action(name, data)
    return action is not None and _result(data, action) is not None
