"""Which form two files have, by their bytes and their name, and what that form finds. What no form reads is bytes.

Invariant: nothing here raises for what the bytes are. A form that cannot read what claims to be of it leaves it to the next.
"""

from __future__ import annotations

import csv
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import StepFailed
from lockage.compare.elf import is_elf
from lockage.compare.finding import Finding
from lockage.compare.text import read_text, text_details, text_difference
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import archive_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockage.compare.budget import Nesting

    Form = Callable[[], Finding]

__all__ = ["archive_name", "inspect"]

#: What readers of bytes that are not what they claim to be raise, or the end of a stack.
_UNREADABLE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, SyntaxError, RecursionError, MemoryError, EOFError, OSError),
    *(struct.error, zlib.error, csv.Error, msgspec.MsgspecError, StepFailed, Unhandled),
)
_HEADERS = ("METADATA", "PKG-INFO", "WHEEL")
_JSON = (".json", ".ipynb", ".map", ".webmanifest")
_AR = b"!<arch>\n"
_COMPRESSED = (b"\xfd7zXZ\0", b"BZh")
_UNPACKED = 1 << 28


def archive_name(name: str, data: bytes) -> str | None:
    """A name that says what kind of archive the bytes are: the file's own if it does, else one by how they begin; None for no archive."""
    if archive_kind(name) is not None:
        return name
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return f"{name}.zip"
    return f"{name}.tar" if data[257:262] == b"ustar" else f"{name}.gz" if data.startswith(b"\x1f\x8b\x08") else None


def inspect(path: str, a: bytes, b: bytes, *, nesting: Nesting, changed: frozenset[str] = frozenset()) -> Finding:
    """What the first form that reads both finds. ``changed`` are the other members of the same archive whose content differs."""
    for form in _forms(path, a, b, changed, nesting):
        try:
            return form()
        except _UNREADABLE:
            continue
    return Finding(form="bytes")


def _forms(path: str, a: bytes, b: bytes, changed: frozenset[str], nesting: Nesting) -> Iterator[Form]:
    """Every form that might read both, special ones first."""
    name = path.rpartition("/")[2]
    named_a, named_b = archive_name(name, a), archive_name(name, b)
    if named_a is not None and named_a == named_b:
        yield lambda: _nested(named_a, a, b, nesting)
    if is_elf(a) and is_elf(b):
        yield lambda: _elf(a, b)
    if name.endswith((".pyc", ".pyo")):
        yield lambda: _pyc(a, b)
    for magic, form in _BY_BYTES.items():
        if a.startswith(magic) and b.startswith(magic):
            yield partial(form, a, b)
    if a.startswith(_AR) and b.startswith(_AR):
        yield lambda: _ar(a, b, nesting)
    if a.startswith(_COMPRESSED) and b.startswith(_COMPRESSED):
        yield lambda: _unpacked(name, a, b, nesting)
    if name == "RECORD" and ".dist-info/" in path:
        yield lambda: _record(a, b, changed)
    if name in _HEADERS:
        yield lambda: _headers(a, b)
    if name.lower().endswith(_JSON):
        yield lambda: _json(a, b)
    yield lambda: _text(a, b)


# Each module is loaded only when its form is tried.


def _elf(a: bytes, b: bytes) -> Finding:
    from lockage.compare.elf_form import compare_elf

    return compare_elf(a, b)


def _pyc(a: bytes, b: bytes) -> Finding:
    from lockage.compare.pyc_form import compare_pyc

    return compare_pyc(a, b)


def _png(a: bytes, b: bytes) -> Finding:
    from lockage.compare.image_form import compare_png

    return compare_png(a, b)


def _npy(a: bytes, b: bytes) -> Finding:
    from lockage.compare.array_form import compare_npy

    return compare_npy(a, b)


def _sqlite(a: bytes, b: bytes) -> Finding:
    from lockage.compare.database_form import compare_sqlite

    return compare_sqlite(a, b)


def _ar(a: bytes, b: bytes, nesting: Nesting) -> Finding:
    from lockage.compare.archives import compare_ar

    return compare_ar(a, b, nesting)


def _record(a: bytes, b: bytes, changed: frozenset[str]) -> Finding:
    from lockage.compare.document_form import compare_record

    return compare_record(a, b, changed)


def _headers(a: bytes, b: bytes) -> Finding:
    from lockage.compare.document_form import compare_headers

    return compare_headers(a, b)


def _json(a: bytes, b: bytes) -> Finding:
    from lockage.compare.document_form import compare_json

    return compare_json(a, b)


_BY_BYTES: dict[bytes, Callable[[bytes, bytes], Finding]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\x93NUMPY": _npy,
    b"SQLite format 3\0": _sqlite,
}


def _text(a: bytes, b: bytes) -> Finding:
    one, two = read_text(a), read_text(b)
    if one is None or two is None:
        raise ValueError("not a text")
    return Finding(form="text", details=tuple(text_details(one, two)), diff=text_difference(one, two))


def _nested(name: str, a: bytes, b: bytes, nesting: Nesting) -> Finding:
    found = nesting.compare(name, a, b)
    if found is None:
        raise ValueError("nested too deeply")
    return Finding(form="archive", nested=found)


def _unpacked(name: str, a: bytes, b: bytes, nesting: Nesting) -> Finding:
    """A compressed file that is no archive: what it unpacks to."""
    form = "bz2" if a.startswith(b"BZh") else "xz"
    found = nesting.compare(name.removesuffix(f".{form}"), *(_decompressed(form, data) for data in (a, b)))
    if found is None:
        raise ValueError("nested too deeply")
    return Finding(form=form, nested=found)


def _decompressed(form: str, data: bytes) -> bytes:
    import bz2
    import lzma

    unpacker = bz2.BZ2Decompressor() if form == "bz2" else lzma.LZMADecompressor(memlimit=1 << 30)
    try:
        found = unpacker.decompress(data, _UNPACKED)
    except lzma.LZMAError as error:
        raise ValueError("not readable") from error
    if not unpacker.eof:
        raise ValueError("cut short, or too long")
    return found
