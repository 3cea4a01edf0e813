"""What verification needs beside the root: a clock that lies (libfaketime) and other locales, compiled by the root's own localedef."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.digest import Digest

if TYPE_CHECKING:
    from lockage.ports import RealisedRoot

__all__ = ["BUILT_IN", "clock_library", "compiled_locale", "locale_sources", "without_sleeping"]

#: Locales that every C library has.
BUILT_IN = ("C", "POSIX", "C.UTF-8")


def clock_library(instruments: Path | None) -> Path | None:
    """libfaketime for programs with threads, else the plain one; None if the instruments have neither."""
    if instruments is None:
        return None
    for name in ("libfaketimeMT.so.1", "libfaketime.so.1"):
        for found in sorted(instruments.glob(f"usr/lib/*/faketime/{name}")):
            return found
    return None


_SLEEP = b"\0clock_nanosleep\0"
_SECTION_STRINGS, _SECTION_LOADED = 3, 2


def without_sleeping(library: bytes) -> bytes:
    """The same libfaketime, which no longer stands in for clock_nanosleep(2).

    Up to 0.9.10 it adds the wall clock's offset to a sleep by the monotonic clock, which it is told to leave alone: every
    `time.sleep` of Python 3.11 fails with EINVAL then. The symbol's name is changed in the table that the dynamic linker
    searches (ELF specification, "String Table"); what is no 64-bit little-endian ELF file is returned as it is.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    (table,) = struct.unpack_from("<Q", library, 0x28)
    size, count = struct.unpack_from("<HH", library, 0x3A)
    for number in range(count):
        _, kind, flags, _, start, length = struct.unpack_from("<IIQQQQ", library, table + number * size)
        if kind == _SECTION_STRINGS and flags & _SECTION_LOADED:
            place = library.find(_SLEEP, start, start + length)
            if place >= 0:  # only the first letter: the end may be shared with the name "nanosleep"
                return library[: place + 1] + b"_" + library[place + 2 :]
    return library


def locale_sources(locale: str, instruments: Path | None) -> Path | None:
    """The folder of locale sources if it can make ``LANGUAGE.CHARMAP``; None if not."""
    language, _, charmap = locale.partition(".")
    if instruments is None or not charmap:
        return None
    folder = instruments / "usr/share/i18n"
    whole = (folder / "locales" / language).is_file() and (folder / "charmaps" / f"{charmap}.gz").is_file()
    return folder if whole else None


def compiled_locale(locale: str, sources: Path, root: RealisedRoot, bwrap: Path, scratch: Path) -> Path | None:
    """A LOCPATH folder with the locale, compiled once for a root; None if the root's localedef cannot.

    The compiler is the root's, as the format follows its C library; it runs in a sandbox of its own with one writable folder.
    """
    name = Digest.of(f"{root.ref.tree}\0{root.ref.metadata}\0{locale}\0{sources}".encode())
    kept = scratch / "locales" / name
    if (kept / locale / "LC_CTYPE").is_file() and (kept / "whole").is_file():
        return kept
    import gzip  # all three are slow to import, and what was compiled once is kept
    import shutil
    import tempfile

    kept.parent.mkdir(parents=True, exist_ok=True)
    language, _, charmap = locale.partition(".")
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=kept.parent))
    try:
        maps = work / "charmaps"
        maps.mkdir()
        # localedef would unpack it with the root's gzip, which need not be there
        (maps / charmap).write_bytes(gzip.decompress((sources / "charmaps" / f"{charmap}.gz").read_bytes()))
        made = work / "made"
        made.mkdir()
        _compile(bwrap, root, sources / "locales", maps, made, language, charmap, locale)
        if not (made / locale / "LC_CTYPE").is_file():
            return None
        for file in (made / locale).rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        (made / "whole").touch()
        try:
            made.rename(kept)
        except OSError:  # another process was first, or an unfinished one is in the way
            if not (kept / "whole").is_file():
                shutil.rmtree(kept, ignore_errors=True)
                made.rename(kept)
        return kept
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(bwrap: Path, root: RealisedRoot, locales: Path, maps: Path, made: Path, language: str, charmap: str, locale: str) -> None:
    command = [str(bwrap), "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--setenv", "I18NPATH", "/tmp/i18n"]  # noqa: S108
    command += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C"]
    base = root.layers[0][1]
    for entry in sorted(base.iterdir(), key=lambda entry: entry.name):
        if entry.is_symlink():
            command += ["--symlink", str(entry.readlink()), f"/{entry.name}"]
        elif entry.name not in ("proc", "dev", "sys", "tmp"):
            command += ["--ro-bind", str(entry), f"/{entry.name}"]
    for place, folder in root.layers[1:]:
        command += ["--ro-bind", str(folder), f"/{place}"]
    command += ["--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", str(locales), "/tmp/i18n/locales"]  # noqa: S108
    command += ["--ro-bind", str(maps), "/tmp/i18n/charmaps", "--bind", str(made), "/tmp/made", "--"]  # noqa: S108
    command += ["/usr/bin/localedef", "--no-archive", "-i", language, "-f", charmap, f"/tmp/made/{locale}"]  # noqa: S108
    # exit status 1 means warnings; what was made decides
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd="/", check=False)
