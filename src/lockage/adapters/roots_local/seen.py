"""What a sweep saw of a layer, so that the next one asks for the same states and need not list a folder.

Invariant: where every state is exactly as it was seen, a sweep would find what it found. A name that comes or goes changes the change
time of its folder, and all else that of its own file. What was younger than the coarsest tick of a file system's clock is not kept, as
it could change once more and look the same. This is a memo: without it, and where anything differs, the whole sweep decides.
"""

from __future__ import annotations

import os
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.ports import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lockage.base.instant import Instant

__all__ = ["as_seen", "keep_seen"]

_SEEN = "seen"
#: Nanoseconds: FAT has the coarsest time stamps, of two seconds; one more for a clock that is read in whole seconds.
_COARSEST = 3_000_000_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def as_seen(home: Path, stamp: str) -> bool:
    """Whether everything in the layer in ``home`` has the state that was seen when its stamp was this; False if nothing was kept of it."""
    try:
        head, _, kept = (home / _SEEN).read_bytes().partition(b"\n")
        size = int(head.removeprefix(f"{stamp} ".encode()))
        paths = os.fsdecode(kept[size:]).split("\0")
        folder = os.open(home / "root", _FOLDER)
        try:
            states = [os.stat(path, dir_fd=folder, follow_symlinks=False) for path in paths]
        finally:
            os.close(folder)
        return _words(states) == kept[:size]
    except (OSError, ValueError, OverflowError):
        return False


def keep_seen(home: Path, stamp: str, found: Sequence[tuple[str, os.stat_result]], now: Instant) -> None:
    """Keep what was found in a layer and has this stamp; ``now`` is when the search began.

    The first of ``found`` is the layer's own folder, ``.``.
    """
    states = [state for _, state in found]
    if max(max(state.st_ctime_ns, state.st_mtime_ns) for state in states) + _COARSEST >= now * 1_000_000_000:
        return
    try:
        words = _words(states)
    except OverflowError:  # a time before 1970
        return
    with suppress(StoreUnwritable):  # nothing depends on it
        paths = os.fsencode("\0".join([path for path, _ in found]))
        durable.write_file(home / _SEEN, f"{stamp} {len(words)}\n".encode() + words + paths)


def _words(states: Iterable[os.stat_result]) -> bytes:
    return array("Q", [word for s in states for word in (s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)]).tobytes()
