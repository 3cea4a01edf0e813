"""The one JSON encoding that is hashed or signed: RFC 8785 (JCS) without floats.

The only place where ``json`` is used for bytes that last. Encoding is a function of the value alone; decoding rejects
duplicate keys, floats and integers that JCS cannot carry exactly, so that two readers never see different documents.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec

from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.base.name import _Name
from lockage.base.path import RelPath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | bool | None

__all__ = ["InvalidDocument", "canonical", "canonical_of", "decode", "decode_hook", "encode_hook", "parse", "plain"]

T = TypeVar("T")

#: RFC 8785 numbers are IEEE 754 doubles; integers beyond ±(2^53 - 1) are not exact.
_SAFE = (1 << 53) - 1


class InvalidDocument(Integrity):
    """A document is not of the form that its schema demands."""

    code = "invalid-document"
    hint = "The bytes were damaged or written by another program; restore them from a copy you trust."


def _ordered(value: Any) -> Any:  # Any: the recursion's value is whatever JSON holds
    if value is None or value is True or value is False or isinstance(value, str):
        return value
    if isinstance(value, int):
        if not -_SAFE <= value <= _SAFE:
            raise ValueError(f"integer out of the range that JCS carries exactly: {value}")
        return int(value)
    if isinstance(value, dict):
        keys = list(value)
        if not all(isinstance(key, str) for key in keys):
            raise ValueError("an object's keys are text")
        if not all(key.isascii() for key in keys):
            keys.sort(key=lambda key: key.encode("utf-16-be"))  # RFC 8785 3.2.3: by UTF-16 code units
        else:
            keys.sort()
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise ValueError(f"{type(value).__name__} has no canonical form")


def _plainly_ordered(value: Any) -> bool:  # Any: as above
    """Whether a value is all that JCS can carry, and its keys are such that the order of their characters is that of JCS.

    False for what needs a closer look; records of thousands of steps are looked at, so this makes no copy and calls nothing for text.
    """
    waiting = [value]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is dict:
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    return False
                if type(item) is not str:
                    waiting.append(item)
        elif kind is list or kind is tuple:
            waiting += [item for item in value if type(item) is not str]
        elif kind is int:
            if not -_SAFE <= value <= _SAFE:
                return False
        elif not (value is None or kind is bool or isinstance(value, str)):
            return False
    return True


def encode_hook(value: object) -> object:
    """How our own types are written in JSON: digests, paths and names as text, times as RFC 3339."""
    if isinstance(value, str):  # a class by itself, as a union is made anew each time: this is asked for every name and digest
        return str(value)
    if isinstance(value, Instant):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


#: One encoder for all: it escapes as RFC 8785 wants it, and sorts keys by their characters.
_ENCODER = msgspec.json.Encoder(enc_hook=encode_hook, order="sorted")
#: For what is in order already, by another one than that of characters.
_AS_IT_IS = msgspec.json.Encoder(enc_hook=encode_hook)
#: Outside of text a number stands behind one of these: one that is large, or is no integer. Inside of text it may look like that too.
#: It is looked for in bytes that have one letter for each class, as a pattern that begins with fixed letters is found five times as fast.
_CLASSES = bytes.maketrans(b":,[0123456789.eE", b":::0000000000eee")
_DOUBTFUL = re.compile(rb":0(?:0{15}|0*e)")


def canonical(value: Json) -> bytes:
    """The RFC 8785 bytes of a JSON value; raises ValueError for floats, large integers, lone surrogates and other types."""
    return _encoded(_ENCODER, value) if _plainly_ordered(value) else _encoded(_AS_IT_IS, _ordered(value))


def _encoded(encoder: msgspec.json.Encoder, value: object) -> bytes:
    try:
        return encoder.encode(value)
    except UnicodeEncodeError as error:
        raise ValueError("text with a lone surrogate has no canonical form") from error


def decode_hook(kind: type, value: object) -> object:
    """The inverse of :func:`encode_hook`; what it raises becomes a validation error with the path in the document."""
    if issubclass(kind, Instant):
        return kind.from_json(value)
    if issubclass(kind, Digest | RelPath | _Name):
        if not isinstance(value, str):
            raise ValueError("expected text")
        return kind(value)
    raise TypeError(f"{kind.__name__} has no JSON form")


def plain(value: object) -> Any:  # Any: the JSON value of an arbitrary struct
    """A struct as plain JSON values."""
    return msgspec.to_builtins(value, enc_hook=encode_hook, str_keys=True)


def canonical_of(value: msgspec.Struct | dict[str, Any]) -> bytes:  # Any: as above
    """The RFC 8785 bytes of a struct, or of names with text, structs and what :func:`plain` made of one.

    It has no field that takes a float: what JSON cannot say of those is not looked for.
    """
    data = _encoded(_ENCODER, value)
    # Only names beyond ASCII can be in another order, and of all types that a struct has only integers can be too large.
    return data if data.isascii() and not _DOUBTFUL.search(data.translate(_CLASSES, b"-")) else canonical(plain(value))


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key in an object")
    return found


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"a number that is not a plain integer: {text[:40]}")


def parse(data: bytes) -> Any:  # Any: unvalidated JSON, to be converted at once
    """Plain values of JSON bytes; raises :class:`InvalidDocument` for duplicate keys, floats or anything malformed."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_no_duplicates, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise InvalidDocument(f"not a strict JSON document: {error}") from error


def decode(data: bytes, kind: type[T]) -> T:
    """Read JSON bytes into a struct; raises :class:`InvalidDocument` with the path of what does not fit."""
    try:
        return msgspec.convert(parse(data), kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        raise InvalidDocument(f"not a valid {kind.__name__}: {error}") from error
