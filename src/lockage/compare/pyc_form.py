"""How two files of compiled Python differ: the source's time or hash, and code objects by name (PEP 552 for the header)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import Instant
from lockage.compare.difference import Detail
from lockage.compare.finding import Finding, cut, fields_differing, sets_differing
from lockage.compare.marshal import MarshalledSet, read_marshal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compare_pyc"]

_NUMBERS = ("argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags", "firstlineno", "filename", "qualname")
_NAMES = ("names", "varnames", "localsplusnames", "freevars", "cellvars")
_BYTES = (("code", "bytecode"), ("linetable", "line numbers"), ("exceptiontable", "table of exceptions"), ("localspluskinds", "kinds"))


def compare_pyc(a: bytes, b: bytes) -> Finding:
    """The header, then every code object by its dotted name. Raises ValueError for what is no compiled Python."""
    if min(len(a), len(b)) < 16 or a[2:4] != b"\r\n" or b[2:4] != b"\r\n":
        raise ValueError("not compiled Python")
    details = list(fields_differing("header", _header(a), _header(b)))
    one, two = (_codes(read_marshal(data[16:], int.from_bytes(data[:2], "little"))) for data in (a, b))
    for name in dict.fromkeys((*one, *two)):
        mine, others = one.get(name), two.get(name)
        if mine is None or others is None:
            details.append(Detail(kind="code", name=name, a=_first_line(mine), b=_first_line(others)))
        else:
            details += _code(name, mine, others)
    if a[16:] != b[16:] and not any(detail.kind != "header" for detail in details):
        details.append(Detail(kind="code", name="", a="the same objects", b="with other references among them (FLAG_REF)"))
    return Finding(form="compiled Python", details=tuple(details))


def _header(data: bytes) -> dict[str, str]:
    flags = int.from_bytes(data[4:8], "little")
    found = {"magic number": str(int.from_bytes(data[:2], "little")), "flags": str(flags)}
    if flags & 1:
        return found | {"hash of the source": data[8:16].hex()}
    time = Instant(int.from_bytes(data[8:12], "little"))
    return found | {"time of the source": str(time), "size of the source": str(int.from_bytes(data[12:16], "little"))}


def _codes(top: object) -> dict[str, dict[str, object]]:
    """Code objects by dotted name, those of one name numbered, each before those within it."""
    found: dict[str, dict[str, object]] = {}

    def walk(code: dict[str, object], prefix: str) -> None:
        plain = f"{prefix}{code['name']}"
        name, number = plain, 2
        while name in found:
            name, number = f"{plain} ({number})", number + 1
        found[name] = code
        for constant in _tuple(code["consts"]):
            if isinstance(constant, dict):
                walk(constant, f"{name}.")

    if isinstance(top, dict):
        walk(top, "")
    return found


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def _first_line(code: dict[str, object] | None) -> str | None:
    return None if code is None else f"line {code['firstlineno']}"


def _code(name: str, a: dict[str, object], b: dict[str, object]) -> Iterator[Detail]:
    """In what two code objects of one name differ, code objects within them aside."""
    kind = f"code {cut(name)}"
    numbers = ({field: str(code.get(field)) for field in _NUMBERS} for code in (a, b))
    yield from fields_differing(kind, *numbers)
    for field in _NAMES:
        yield from _values(kind, "name", [str(each) for each in _tuple(a.get(field))], [str(each) for each in _tuple(b.get(field))])
    mine, others = ([each for each in _tuple(code["consts"]) if not isinstance(each, dict)] for code in (a, b))
    if [_settled(each) for each in mine] == [_settled(each) for each in others]:
        for one, two in zip(map(_shown, mine), map(_shown, others), strict=True):
            if one != two:
                yield Detail(kind=kind, name="order within a set", a=cut(one), b=cut(two))
    else:
        yield from _values(kind, "constant", [_shown(each) for each in mine], [_shown(each) for each in others])
    for field, words in _BYTES:
        bytes_a, bytes_b = a.get(field), b.get(field)
        if isinstance(bytes_a, bytes) and isinstance(bytes_b, bytes) and bytes_a != bytes_b:
            said = f"{len(bytes_b)} bytes" + ", others" * (len(bytes_a) == len(bytes_b))
            yield Detail(kind=kind, name=words, a=f"{len(bytes_a)} bytes", b=said)


def _values(kind: str, what: str, a: list[str], b: list[str]) -> Iterator[Detail]:
    if a == b:
        return
    if sorted(a) == sorted(b):
        yield Detail(kind=kind, name=f"order of {what}s", a=cut(", ".join(a)), b=cut(", ".join(b)))
    else:
        yield from sets_differing(f"{kind}, {what}", a, b)


def _shown(value: object) -> str:
    """A constant as people read it; a set in the order in which it was written."""
    if isinstance(value, tuple):
        return f"{'frozenset' * isinstance(value, MarshalledSet)}({', '.join(map(_shown, value))})"
    return repr(value)


def _settled(value: object) -> str:
    """The same with sets in a fixed order."""
    if isinstance(value, tuple):
        items = [_settled(each) for each in value]
        return f"set{sorted(items)}" if isinstance(value, MarshalledSet) else str(items)
    return repr(value)
