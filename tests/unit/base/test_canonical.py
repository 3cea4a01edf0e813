"""RFC 8785 without floats."""

from typing import Any  # JSON values

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.canonical import (
    _AS_IT_IS,
    InvalidDocument,
    _ordered,
    _plainly_ordered,
    canonical,
    canonical_of,
    decode,
    parse,
    plain,
)
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def test_rfc8785_sorts_by_utf16_code_units() -> None:
    # RFC 8785 3.2.3, the example with keys beyond the basic plane.
    document = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert canonical(document).decode() == ('{"\\r":2,"1":4,"\x80":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}')


def test_escapes_are_the_shortest() -> None:
    assert canonical('\x00\b\t\n\f\r"\\/\x1f\x7f') == b'"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\\u001f\x7f"'


@given(JSON)
def test_what_is_encoded_reads_back_and_encodes_the_same(value: object) -> None:
    data = canonical(value)  # type: ignore[arg-type]  # hypothesis gives object
    assert canonical(parse(data)) == data


@given(JSON)
def test_what_needs_no_closer_look_has_the_same_bytes_without_it(value: object) -> None:
    if _plainly_ordered(value):
        assert canonical(value) == _AS_IT_IS.encode(_ordered(value))  # type: ignore[arg-type]  # as above


class _Document(msgspec.Struct):
    zeta: str
    alpha: int
    names: dict[str, str | int | list[int]]


@given(TEXT, st.integers(-(2**53) + 1, 2**53 - 1), st.dictionaries(TEXT, TEXT | st.lists(st.integers(-(2**53) + 1, 2**53 - 1)), max_size=4))
def test_a_struct_has_the_bytes_of_its_plain_values(zeta: str, alpha: int, names: dict[str, str | int | list[int]]) -> None:
    document = _Document(zeta, alpha, names)
    assert canonical_of(document) == canonical(plain(document)) == canonical_of(plain(document))


@pytest.mark.parametrize("names", [{"a": 2**53}, {"a": [-(2**53)]}, {"a": 2**63}, {"a": "\ud800"}, {"\ud800": 1}])
def test_a_struct_that_has_no_canonical_form(names: dict[str, str | int | list[int]]) -> None:
    with pytest.raises(ValueError, match=r"canonical|range|encode"):
        canonical_of(_Document("", 0, names))


def test_tuples_and_our_own_text_need_no_closer_look() -> None:
    value: dict[str, Any] = {"b": (RelPath("x/y"), 1, None), "a": [Digest.of(b"")], RelPath("c"): True}
    assert _plainly_ordered(value)
    assert canonical(value) == canonical({"a": [str(Digest.of(b""))], "b": ["x/y", 1, None], "c": True})


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53, b"bytes", {1: 2}, "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical|range|keys|surrogate|encode"):
        canonical(value)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("data", [b'{"a":1,"a":2}', b"1.0", b"NaN", b"{", b"\xff", b"[" * 99999, b'{"sha256":"x","size":1}', b'{"size":1}'])
def test_documents_that_two_readers_could_read_differently(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        decode(data, BlobRef)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(InvalidDocument, match="unknown"):
        decode(b'{"sha256":"' + b"0" * 64 + b'","size":1,"more":2}', BlobRef)
