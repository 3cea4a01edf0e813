"""The packs of a folder, and where in them each thing lies that they hold.

Invariants: a pack never changes under its name, and names are never given twice; what one process adds is found by another before
that says of anything that it is not there. Of packs that hold the same name, that of the latest counts.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING
from weakref import WeakMethod

from lockage import durable
from lockage.packs.pack import Pack, encoded, load, name_after, name_of, pack_name, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LARGE", "Packs", "Place"]

#: A pack, where in it something begins, and how long that is.
Place = tuple[Pack, int, int]

#: A pack of more is looked up in its table: it would take every process too long to note all that it holds.
LARGE = 1 << 12
#: After so many things were found in its table, it is noted all the same.
_OFTEN = 128
#: Nanoseconds. A folder that was changed no longer ago may change again without its time telling: that goes in ticks of the kernel.
_TICK = 20_000_000


class Packs:
    """The packs in ``folder``, written by way of ``spool``. ``begin`` is called before the folder is made.

    ``unreadable`` is told of a file that is no whole pack. ``ordered``: what is written under a name again is to count from then on.
    """

    def __init__(
        self,
        folder: Path,
        spool: durable.Spool,
        *,
        begin: Callable[[], None],
        unreadable: Callable[[Path], None],
        ordered: bool = False,
    ) -> None:
        self.folder = folder
        self._ordered = ordered
        self._text = str(folder)
        self._spool = spool
        self._begin = begin
        #: A method's object has these packs as a rule, and what they hold open would wait for the search for cycles.
        self._unreadable = WeakMethod(unreadable) if isinstance(unreadable, MethodType) else lambda: unreadable
        self._places: dict[str, Place] = {}
        self._packs: dict[str, Pack] = {}
        #: Those that are looked up in their tables, the latest first.
        self._large: list[Pack] = []
        #: What the folder looked like when it was listed, if a later look can tell whether it has changed.
        self._listed: tuple[int, int] | None = None
        #: Packs that nobody has asked for anything yet, the earliest first: those that were read or written are later.
        self._waiting: list[str] = []
        #: Names of files that are no whole packs.
        self._bad: set[str] = set()
        self._loaded = False
        self._ready = False
        self._newest = 0
        self._lock = threading.RLock()

    # Looking

    def find(self, digest: str) -> Place | None:
        """Where the latest of that name lies, as far as this process has seen the folder. Raises OSError."""
        if not self._loaded:
            self.refresh()
        found = self.known(digest)
        while found is None and self._waiting:
            self._read_next()
            found = self.known(digest)
        return found

    def known(self, digest: str) -> Place | None:
        """As :meth:`find`, of the packs that this process has read already or wrote."""
        found = self._places.get(digest)
        for pack in self._large:
            if found is not None and found[0].name > pack.name:
                break
            place = pack.place(digest)
            if place is not None:
                pack.hits += 1
                if pack.hits == _OFTEN:
                    self._spread(pack)
                return pack, *place
        return found

    def found(self, digest: str) -> Place | None:
        """As :meth:`find`, after a look at the folder if it is not known, or if a later one may count."""
        if self._ordered:
            self.refresh()
            return self.find(digest)
        place = self.find(digest)
        return place if place is not None or not self.refresh() else self.find(digest)

    def refresh(self) -> bool:
        """Learn what others added or took away; whether anything was. Raises OSError."""
        try:
            state = os.stat(self._text)  # noqa: PTH116  # asked for each miss
        except (FileNotFoundError, NotADirectoryError):
            with self._lock:
                changed, self._ready = bool(self._packs or self._waiting), False
                self._clear()
                self._loaded = True
            return changed
        if self._listed == (state.st_mtime_ns, state.st_ino):
            return False
        with self._lock:
            now = time.time_ns()
            names = set(self.names()) - self._bad
            known = {*self._packs, *self._waiting}
            if not known <= names:
                self._clear()
                known = set()
            new = sorted(names - known)
            bad: list[Path] = []
            if not self._loaded:  # what is read later must be earlier than what was read or written
                earliest = min(self._packs, default="~")
                self._waiting = [name for name in new if name < earliest]
                self._newest = max([self._newest, *map(stamp_of, self._waiting[-1:])])
                new = new[len(self._waiting) :]
            for name in new:
                self._load(name, bad)
            self._listed = (state.st_mtime_ns, state.st_ino) if state.st_mtime_ns + _TICK < now else None
            self._loaded = True
            self._mend(bad)
        return bool(names - known) or not known

    def names(self) -> list[str]:
        """What packs there are, without a look at any. Raises OSError."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return [name for name in os.listdir(self._text) if pack_name(name)]  # noqa: PTH208  # of names
        return []

    def all(self) -> list[Pack]:
        """Every pack, the earliest first. Raises OSError."""
        self.refresh()
        while self._waiting:
            self._read_next()
        with self._lock:
            return [self._packs[name] for name in sorted(self._packs)]

    def forget(self) -> None:
        """Know nothing any more, so that every table is read again."""
        with self._lock:
            self._clear()
            self._bad.clear()

    def latest(self, pack: Pack, digest: str) -> bool:
        """Whether what a pack holds under a name counts, as no later one holds it as well."""
        place = self.find(digest)
        return place is not None and place[0].name == pack.name

    def _clear(self) -> None:
        self._places, self._packs, self._large, self._waiting, self._listed, self._loaded = {}, {}, [], [], None, False

    def _read_next(self) -> None:
        """Read the latest pack that was not read yet."""
        bad: list[Path] = []
        with self._lock:
            if self._waiting:
                self._load(self._waiting[-1], bad)
                self._waiting.pop()  # only now: what cannot be read is not passed over
        self._mend(bad)

    def _mend(self, bad: list[Path]) -> None:
        for path in bad:
            self._bad.add(path.name)  # whoever mends it looks at the folder, and it may have to stay where it is
            if (tell := self._unreadable()) is not None:
                tell(path)

    def _load(self, name: str, bad: list[Path]) -> None:
        path = self.folder / name
        try:
            pack = load(path)
        except FileNotFoundError:
            self._listed = None  # somebody has just taken it away
        except ValueError:
            bad.append(path)
        else:
            self._learn(pack)

    def _learn(self, pack: Pack) -> None:
        older = bool(self._packs) and pack.name < max(self._packs)
        self._packs[pack.name] = pack
        self._newest = max(self._newest, stamp_of(pack.name))
        if len(pack.table) > LARGE:
            self._large = sorted([*self._large, pack], key=lambda one: one.name, reverse=True)
        else:
            self._note(pack, older=older)

    def _spread(self, pack: Pack) -> None:
        """Note all that is in a large pack, as much of it is asked for."""
        with self._lock:
            if self._packs.get(pack.name) is pack:
                self._note(pack, older=True)
                self._large = [one for one in self._large if one is not pack]

    def _note(self, pack: Pack, *, older: bool) -> None:
        table, places = pack.table, self._places
        found = zip(table.texts(), zip(repeat(pack), table.offsets, table.sizes, strict=False), strict=True)
        if not older:
            places.update(found)
            return
        if pack.name == min(self._packs):
            earlier = dict(found)
            earlier.update(places)
            self._places = earlier
            return
        for text, place in found:
            known = places.setdefault(text, place)
            if known[0].name < pack.name:
                places[text] = place

    # Writing

    def add(self, items: Mapping[str, bytes], *, after: str = "") -> Pack:
        """One pack of all these, durable when this returns; with ``after`` it counts as written with that one. Raises OSError."""
        pieces, table = encoded(items)
        self.ready()
        if self._ordered:
            self.refresh()  # so that no clock that was set back makes it an earlier one
        durable.reached("before-stage")
        staged = self._spool.stage(0o444)
        try:
            staged.write(b"".join(pieces))
            staged.finish(0o444)
        except BaseException:
            staged.discard()
            raise
        with self._lock:
            name = name_after(after) if after else name_of(max(time.time_ns(), self._newest + 1))
            self._newest = max(self._newest, stamp_of(name))
        self._spool.publish([staged], [f"{self._text}{os.sep}{name}"])
        pack = Pack(self._text, name, table, staged.facts)
        with self._lock:
            if name not in self._packs:  # somebody who looked in the meantime has learnt of it
                self._learn(pack)
        return pack

    def ready(self) -> None:
        """The folder is there, durably. Raises OSError."""
        if not self._ready:
            if not self.folder.exists():
                self._begin()
            durable.ensure_folder(self.folder)
            self._ready = True

    def remove(self, pack: Pack) -> None:
        """Delete a pack. Raises OSError."""
        durable.reached("before-delete")
        Path(pack.path).unlink(missing_ok=True)
