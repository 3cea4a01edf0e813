"""Which package has a file: a suite's Contents indices (Debian repository format, "Contents indices"), as pure functions over bytes.

Invariant: an index of half a gigabyte is read in seconds and kept in a few megabytes, so only the lines that a build could miss are
looked at: headers, libraries to link with, programs, and what pkg-config and CMake read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PackagedFile", "chosen_lines", "find_files"]


class PackagedFile(msgspec.Struct, frozen=True):
    """A file that installing a package would bring: ``path`` has no leading slash; ``section`` is the archive's, such as ``libdevel``."""

    path: str
    section: str
    package: str


_KINDS = rb"(?:(?<=\.h)|(?<=\.hpp)|(?<=\.pc)|(?<=\.so)|(?<=\.a)|(?<=\.cmake))"
#: A path with a space in it is passed over: none that a build asks for has one.
_CHOSEN = re.compile(
    rb"(?m)^(?:usr/include/\S++"
    rb"|(?:usr/)?s?bin/[^/\s]++"
    rb"|usr/lib/\S++" + _KINDS + rb"|usr/share/(?:pkgconfig|cmake|[^/\s]++/cmake)/\S++" + _KINDS + rb")[ \t]++\S++$"
)
#: Documentation, by far the most of an index, is passed over a piece at a time: paths are sorted.
_SHARED = b"usr/share/"


def chosen_lines(piece: bytes) -> bytes:
    """The lines of a piece of an index that a build could miss the file of; the piece is whole lines."""
    if piece.startswith(_SHARED) and b".cmake" not in piece and b".pc" not in piece:
        last = piece.rfind(b"\n", 0, -1) + 1
        if piece.startswith(_SHARED, last):
            return b""
    found: list[bytes] = _CHOSEN.findall(piece)
    return b"".join(line + b"\n" for line in found)


def find_files(lines: bytes, endings: Iterable[str]) -> tuple[PackagedFile, ...]:
    """Every file whose path ends in one of these, which begin with a slash, with each package that has it; in the index's order."""
    found: list[PackagedFile] = []
    for ending in dict.fromkeys(endings):
        wanted = ending.encode()
        at = lines.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if lines[end : end + 1] in (b" ", b"\t"):
                start = lines.rfind(b"\n", 0, at) + 1
                stop = lines.find(b"\n", end)
                places = lines[end : stop if stop >= 0 else None].decode(errors="replace").strip()
                path = lines[start:end].decode(errors="replace")
                found += [_placed(path, place) for place in places.split(",")]
            at = lines.find(wanted, end)
    return tuple(dict.fromkeys(found))


def _placed(path: str, place: str) -> PackagedFile:
    """``libdevel/zlib1g-dev``, or with the archive's area before it, ``contrib/libdevel/…``."""
    section, _, package = place.rpartition("/")
    return PackagedFile(path, section.rpartition("/")[2], package)
