"""How two documents differ by key: JSON, the headers of Python metadata, and the RECORD of a wheel."""

from __future__ import annotations

import csv

import msgspec

from lockage.compare.difference import Detail
from lockage.compare.finding import Finding, cut, fields_differing
from lockage.compare.text import read_text, text_details, text_difference

__all__ = ["compare_headers", "compare_json", "compare_record"]

_DEPTH = 64
_LONGEST = 1 << 24
_MOST = 10_000


def compare_json(a: bytes, b: bytes) -> Finding:
    """By key, as `.key.key[index]`. Raises msgspec.DecodeError or ValueError for what is no JSON."""
    if max(len(a), len(b)) > _LONGEST:
        raise ValueError("too long to be compared by key")
    one, two = msgspec.json.decode(a), msgspec.json.decode(b)
    details: list[Detail] = []
    _walk(".", one, two, details, 0)
    if not details:
        said = ("keys in one order", "in another order") if _keys(one, 0) != _keys(two, 0) else ("the same document", "written otherwise")
        details.append(Detail(kind="key", name=".", a=said[0], b=said[1]))
    return Finding(form="JSON", details=tuple(details), diff=_diff(a, b))


def _walk(path: str, a: object, b: object, found: list[Detail], depth: int) -> None:
    if a == b and type(a) is type(b):
        return
    if len(found) >= _MOST:
        return
    if isinstance(a, dict) and isinstance(b, dict) and depth < _DEPTH:
        for key in dict.fromkeys((*a, *b)):
            below = f"{path if path != '.' else ''}.{key}"
            if key not in a or key not in b:
                found.append(
                    Detail(kind="key", name=cut(below), a=_shown(a[key]) if key in a else None, b=_shown(b[key]) if key in b else None)
                )
            else:
                _walk(below, a[key], b[key], found, depth + 1)
    elif isinstance(a, list) and isinstance(b, list) and depth < _DEPTH:
        if len(a) == len(b) and sorted(map(_shown_whole, a)) == sorted(map(_shown_whole, b)):
            found.append(Detail(kind="key", name=cut(path), a=_shown(a), b=f"in another order: {_shown(b)}"))
            return
        for index in range(max(len(a), len(b))):
            below = f"{path if path != '.' else ''}[{index}]"
            if index >= len(a) or index >= len(b):
                mine, others = (_shown(side[index]) if index < len(side) else None for side in (a, b))
                found.append(Detail(kind="key", name=cut(below), a=mine, b=others))
            else:
                _walk(below, a[index], b[index], found, depth + 1)
    else:
        found.append(Detail(kind="key", name=cut(path), a=_shown(a), b=_shown(b)))


def _shown_whole(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _shown(value: object) -> str:
    return cut(_shown_whole(value))


def _keys(value: object, depth: int) -> object:
    """The order of all keys."""
    if depth > _DEPTH:
        return None
    if isinstance(value, dict):
        return [(key, _keys(each, depth + 1)) for key, each in value.items()]
    return [_keys(each, depth + 1) for each in value] if isinstance(value, list) else None


def _diff(a: bytes, b: bytes) -> tuple[str, ...]:
    one, two = read_text(a), read_text(b)
    return () if one is None or two is None else text_difference(one, two)


def compare_headers(a: bytes, b: bytes) -> Finding:
    """The fields of METADATA, PKG-INFO or WHEEL (RFC 822 headers) by name, then the text. Raises ValueError if it is none."""
    one, two = read_text(a), read_text(b)
    if one is None or two is None:
        raise ValueError("not a text")
    (fields_a, body_a), (fields_b, body_b) = _headers(one.lines), _headers(two.lines)
    details = [*fields_differing("field", fields_a, fields_b), *text_details(one, two)]
    if fields_a == fields_b and list(fields_a) != list(fields_b):
        details.append(Detail(kind="field", name="order", a=cut(", ".join(fields_a)), b=cut(", ".join(fields_b))))
    if body_a != body_b:
        details.append(Detail(kind="field", name="description", a=f"{len(body_a)} lines", b=f"{len(body_b)} lines"))
    return Finding(form="metadata", details=tuple(details), diff=text_difference(one, two))


def _headers(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Fields by name, those that come several times numbered, and the lines of the body."""
    found: dict[str, str] = {}
    last = ""
    for index, line in enumerate(lines):
        if not line.strip():
            return found, lines[index + 1 :]
        if line[0] in " \t" and last:
            found[last] += f" {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("not headers")
        last, number = name, 2
        while last in found:
            last, number = f"{name} ({number})", number + 1
        found[last] = value.strip()
    return found, []


def compare_record(a: bytes, b: bytes, changed: frozenset[str]) -> Finding:
    """The rows of a wheel's RECORD by path, without those of members in ``changed``, from which they follow.

    Raises ValueError or csv.Error for what is none.
    """
    one, two = _rows(a), _rows(b)
    details = list(fields_differing("row", one, two))
    own = tuple(detail for detail in details if detail.name not in changed)
    following = len(details) - len(own)
    follows = f"{following} rows, from the members that they are of" if following else ""
    if not details:
        own = (Detail(kind="row", name="", a="the same rows", b="in another order, or written otherwise"),)
    return Finding(form="RECORD", details=own, diff=_diff(a, b) if not details else (), follows=follows)


def _rows(data: bytes) -> dict[str, str]:
    return {row[0]: ",".join(row[1:]) for row in csv.reader(data.decode().splitlines()) if row}
