"""Reads what CPython marshals, of any version from 3.8 on, without running or building any of it.

``marshal.loads`` may crash on bytes that another version, or nobody, wrote; and it knows only its own version's code objects.
The format is that of CPython's Python/marshal.c. Raises ValueError for what it is not.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MarshalledSet", "read_marshal"]

_DEPTH = 200
_OLD = (
    *("argcount:i", "posonlyargcount:i", "kwonlyargcount:i", "nlocals:i", "stacksize:i", "flags:i", "code", "consts", "names", "varnames"),
    *("freevars", "cellvars", "filename", "name", "firstlineno:i", "linetable"),
)
#: From 3.11 on.
_NEW = (
    *("argcount:i", "posonlyargcount:i", "kwonlyargcount:i", "stacksize:i", "flags:i", "code", "consts", "names", "localsplusnames"),
    *("localspluskinds", "filename", "name", "qualname", "firstlineno:i", "linetable", "exceptiontable"),
)
#: The first magic number of 3.11 (CPython's Lib/importlib/_bootstrap_external.py).
_FIRST_NEW = 3451


def read_marshal(data: bytes, magic: int) -> object:
    """The one object that the bytes hold: a code object is a dict of its fields, a dict a tuple of pairs, all else what Python has for it.

    ``magic`` is the number of the .pyc they come from, which decides the layout of code.
    """
    return _Reader(data, _NEW if magic >= _FIRST_NEW else _OLD).one(0)


class _Reader:
    def __init__(self, data: bytes, layout: tuple[str, ...]) -> None:
        self.data, self.layout, self.at = data, layout, 0
        self.refs: list[object] = []

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("marshalled data is cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def one(self, depth: int) -> object:
        if depth > _DEPTH:
            raise ValueError("marshalled data is nested too deeply")
        (byte,) = self.take(1)
        kind, place = chr(byte & 0x7F), -1
        if byte & 0x80:
            place = len(self.refs)
            self.refs.append(None)
        found = self._simple(kind) if kind in _SIMPLE else self._compound(kind, depth)
        if place >= 0:
            self.refs[place] = found
        return found

    def _simple(self, kind: str) -> object:
        return _SIMPLE[kind](self)

    def _compound(self, kind: str, depth: int) -> object:
        if kind == "c":
            return {field.removesuffix(":i"): self.number() if field.endswith(":i") else self.one(depth + 1) for field in self.layout}
        if kind == "{":
            pairs = []
            while (key := self.one(depth + 1)) is not _NULL:
                pairs.append((key, self.one(depth + 1)))
            return tuple(pairs)
        if kind == ":":
            return ("slice", self.one(depth + 1), self.one(depth + 1), self.one(depth + 1))
        if kind not in "()[<>":
            raise ValueError(f"marshalled data has an unknown type {kind!r}")
        size = self.take(1)[0] if kind == ")" else self.number()
        if not 0 <= size <= len(self.data):
            raise ValueError("marshalled data has an impossible length")
        items = [self.one(depth + 1) for _ in range(size)]
        return MarshalledSet(items) if kind in "<>" else tuple(items)


class MarshalledSet(tuple[object, ...]):
    """A set, in the order in which it was written."""

    __slots__ = ()


class _Null:
    def __repr__(self) -> str:
        return "NULL"


_NULL = _Null()


def _big(reader: _Reader) -> int:
    size = reader.number()
    digits = struct.unpack(f"<{abs(size)}H", reader.take(2 * abs(size)))
    value: int = sum(digit << 15 * index for index, digit in enumerate(digits))
    return -value if size < 0 else value


def _text(reader: _Reader, size: int) -> str:
    return reader.take(size).decode("utf-8", "surrogatepass")


def _double(reader: _Reader) -> float:
    found: float = struct.unpack("<d", reader.take(8))[0]
    return found


_SIMPLE: dict[str, Callable[[_Reader], object]] = {
    "0": lambda _: _NULL,
    "N": lambda _: None,
    "T": lambda _: True,
    "F": lambda _: False,
    "S": lambda _: StopIteration,
    ".": lambda _: ...,
    "i": _Reader.number,
    "l": _big,
    "g": _double,
    "y": lambda reader: complex(_double(reader), _double(reader)),
    "s": lambda reader: reader.take(reader.number()),
    "z": lambda reader: reader.take(reader.take(1)[0]).decode("latin-1"),
    "Z": lambda reader: reader.take(reader.take(1)[0]).decode("latin-1"),
    "a": lambda reader: reader.take(reader.number()).decode("latin-1"),
    "A": lambda reader: reader.take(reader.number()).decode("latin-1"),
    "u": lambda reader: _text(reader, reader.number()),
    "t": lambda reader: _text(reader, reader.number()),
    "r": lambda reader: reader.refs[reader.number()],
}
