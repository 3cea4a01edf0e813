"""The bytes of a pack: nothing that was changed in one is taken for what it was, and what is whole is found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.digest import Digest
from lockage.packs.pack import HEAD, encoded, head_of, salvaged, table_of

ITEMS = {str(Digest.of(data)): data for data in (b"", b"one", b"two two", b"x" * 300)}


def is_whole(name: str, data: bytes) -> bool:
    return Digest.of(data) == name


def bytes_of(items: dict[str, bytes]) -> bytes:
    pieces, table = encoded(items)
    data = b"".join(pieces)
    assert table.end == len(data)
    return data


def read(data: bytes) -> dict[str, bytes]:
    """All of a pack, by its table."""
    end = HEAD + head_of(data[:HEAD])
    table = table_of(data[:HEAD], data[HEAD:end], len(data))
    return {name: data[at : at + size] for name, at, size in zip(table.texts(), table.offsets, table.sizes, strict=True)}


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_a_pack_gives_back_what_was_put_into_it(items: list[bytes]) -> None:
    named = {str(Digest.of(data)): data for data in items}
    data = bytes_of(named)
    assert read(data) == named
    assert list(read(data)) == sorted(named)
    assert dict(salvaged(data, is_whole)) == named


def test_its_bytes_do_not_depend_on_the_order() -> None:
    assert bytes_of(ITEMS) == bytes_of(dict(reversed(ITEMS.items())))


def test_a_byte_that_turned_is_found_and_costs_no_more_than_one_blob() -> None:
    data = bytes_of(ITEMS)
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        if at < HEAD + 48 * len(ITEMS):
            with pytest.raises(ValueError, match=r"it|its"):
                read(bad)
        found = {name: part for name, part in salvaged(bad, is_whole) if part is not None}
        assert found.items() <= ITEMS.items()
        assert len(found) >= len(ITEMS) - 1, at


@settings(max_examples=60)
@given(st.integers(0, len(bytes_of(ITEMS)) - 1), st.binary(max_size=3))
def test_a_pack_that_was_cut_off_is_none(size: int, more: bytes) -> None:
    data = bytes_of(ITEMS)
    with pytest.raises(ValueError, match=r"it|its"):
        read(data[:size])
    if more:
        with pytest.raises(ValueError, match="bytes"):
            read(data + more)
    found = {name: part for name, part in salvaged(data[:size], is_whole) if part is not None}
    assert found.items() <= ITEMS.items()


@given(st.binary(max_size=300))
def test_anything_else_is_none_and_nothing_is_found_in_it(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it|its"):
        read(data)
    assert all(part is None or is_whole(name, part) for name, part in salvaged(data, is_whole))
