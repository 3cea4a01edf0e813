"""Release and Packages files (deb822 paragraphs; Debian repository format).

Invariant: a Packages file of 60,000 stanzas is read in about a second, so only the fields that resolution needs are looked at,
and relations stay text until a package is considered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.environment.errors import InvalidIndex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.environment.lock import LockedPackage

__all__ = ["Release", "Stanza", "fields", "parse_packages", "parse_release", "stanza_of", "stanzas_from_memo", "stanzas_to_memo"]


class Stanza(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One package of an index. Relations are unparsed text; ``sha256`` is 64 hex digits; ``path`` is below the mirror's base."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: str
    multi_arch: str = ""
    pre_depends: str = ""
    depends: str = ""
    conflicts: str = ""
    breaks: str = ""
    provides: str = ""
    priority: str = ""
    essential: bool = False
    important: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A suite's Release file, verified: ``sha256`` is that of the signed file; ``files`` are the indices it vouches for.

    ``not_automatic`` suites have packages that are taken only where nothing else does. ``stale`` says that it was accepted although
    it was out of date.
    """

    suite: str
    codename: str
    origin: str
    date: Instant
    valid_until: Instant | None
    acquire_by_hash: bool
    files: Mapping[str, BlobRef]
    sha256: Digest
    not_automatic: bool = False
    stale: bool = False


def fields(text: str) -> dict[str, str]:
    """The fields of one deb822 paragraph by lower-case name; continuation lines keep their line breaks. Raises ValueError."""
    found: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        if line[0] in " \t":
            if not name:
                raise ValueError(f"a continuation line without a field: {line[:80]!r}")
            found[name] += "\n" + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise ValueError(f"not a field: {line[:80]!r}")
        if name in found:
            raise ValueError(f"the field {name} occurs twice")
        found[name] = value.strip()
    return found


_MONTHS = {name: at for at, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)}


def _date(text: str) -> Instant:
    """RFC 2822 in UTC, as Release files have it; not by strptime, whose month names follow the locale."""
    words = text.split()
    if len(words) != 6 or words[5] not in ("UTC", "GMT", "+0000", "Z") or words[2] not in _MONTHS:
        raise ValueError(f"not a date in UTC: {text[:60]!r}")
    hour, minute, second = (int(part) for part in words[4].split(":"))
    return Instant(int(datetime(int(words[3]), _MONTHS[words[2]], int(words[1]), hour, minute, second, tzinfo=UTC).timestamp()))


def parse_release(text: str, sha256: Digest) -> Release:
    """Read the text of a Release file whose signature was verified; raises :class:`InvalidIndex`."""
    try:
        found = fields(text)
        files = {}
        for line in found.get("sha256", "").split("\n"):
            if line:
                digest, size, path = line.split()
                files[path] = BlobRef(Digest(digest), int(size))
        until = found.get("valid-until")
        return Release(
            suite=found.get("suite", ""),
            codename=found.get("codename", ""),
            origin=found.get("origin", ""),
            date=_date(found["date"]),
            valid_until=None if until is None else _date(until),
            acquire_by_hash=found.get("acquire-by-hash", "no").lower() == "yes",
            files=files,
            sha256=sha256,
            not_automatic=found.get("notautomatic", "no").lower() == "yes",
        )
    except KeyError as error:
        raise InvalidIndex(f"the Release file has no field {error}") from error
    except ValueError as error:
        raise InvalidIndex(f"the Release file cannot be read: {error}") from error


def _fields_of(stanza: str) -> dict[str, str]:
    """As :func:`fields`, but quick and lenient: names as they are written, values on one line, nothing is checked."""
    found: dict[str, str] = {}
    name = ""
    for line in stanza.split("\n"):
        if line[:1] in (" ", "\t"):
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    return found


def _stanza(text: str) -> Stanza | None:
    """The package that a paragraph describes; None if it is empty. Raises ValueError if it lacks what every package has."""
    get = _fields_of(text).get
    name, version, path, size, sha256 = get("Package", ""), get("Version", ""), get("Filename", ""), get("Size", ""), get("SHA256", "")
    if not (name and version and path and len(sha256) == 64 and size.isdigit()):
        if not text.strip("\n"):
            return None
        raise ValueError(f"the stanza of {name or 'a package'} lacks a name, version, file name, size or sha256")
    return Stanza(
        name,
        version,
        get("Architecture", ""),
        path,
        int(size),
        sha256,
        get("Multi-Arch", ""),
        get("Pre-Depends", ""),
        get("Depends", ""),
        get("Conflicts", ""),
        get("Breaks", ""),
        get("Provides", ""),
        get("Priority", ""),
        get("Essential") == "yes",
        "yes" in (get("Important"), get("Protected")),
    )


def parse_packages(pieces: Iterable[bytes]) -> list[Stanza]:
    """Every stanza of a Packages file that comes in pieces, in its order; raises :class:`InvalidIndex`.

    Bytes that are not UTF-8, which descriptions may hold, are replaced.
    """
    found: list[Stanza | None] = []
    rest = b""
    try:
        for piece in pieces:
            *whole, rest = (rest + piece).split(b"\n\n")
            found += [_stanza(text.decode("utf-8", "replace")) for text in whole]
        found.append(_stanza(rest.decode("utf-8", "replace")))
    except ValueError as error:
        raise InvalidIndex(f"the Packages file cannot be read: {error}") from error
    return [stanza for stanza in found if stanza is not None]


def stanza_of(package: LockedPackage, control: str) -> Stanza:
    """The stanza that an index would have for a locked package with this control paragraph; raises :class:`InvalidIndex`."""
    text = f"{control.strip()}\nFilename: {package.path}\nSize: {package.size}\nSHA256: {package.sha256}\n"
    try:
        found = _stanza(text)
    except ValueError as error:
        raise InvalidIndex(f"the control file of {package.name} {package.version} cannot be read: {error}", package=package.name) from error
    assert found is not None, "a text with a Filename is not empty"
    return found


def stanzas_to_memo(stanzas: list[Stanza]) -> bytes:
    """A compact form that is read back several times faster than the file; not a format that lasts."""
    body = msgspec.msgpack.encode(stanzas)
    return Digest.of(body).raw + body


def stanzas_from_memo(memo: bytes) -> list[Stanza] | None:
    """What :func:`stanzas_to_memo` wrote; None if it is damaged or was written by another version."""
    body = memoryview(memo)[32:]
    if len(memo) < 32 or Digest.of(body).raw != memo[:32]:
        return None
    try:
        return msgspec.msgpack.decode(body, type=list[Stanza])
    except msgspec.DecodeError:
        return None
