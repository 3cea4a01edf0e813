"""Bytes in a row, and their digests."""

from hashlib import sha256 as reference
from pathlib import Path

import pytest

from lockage.echo.fields import packed, sha256, sha256_of_file, unpacked


@pytest.mark.parametrize("row", [[], [b""], [b"", b""], [b"a", b"", b"bc"], [b"\0" * 9, b"x" * 70_000]])
def test_a_row_comes_back(row: list[bytes]) -> None:
    assert unpacked(packed(row)) == row


def test_no_two_rows_are_the_same_bytes() -> None:
    rows = [[], [b""], [b"ab"], [b"a", b"b"], [b"", b"ab"], [packed([b"ab"])]]
    assert len({packed(row) for row in rows}) == len(rows)


def test_what_is_cut_off_is_refused() -> None:
    data = packed([b"one", b"two"])
    for end in range(1, len(data)):
        if end != len(packed([b"one"])):
            with pytest.raises(ValueError, match="cut off"):
                unpacked(data[:end])


def test_digests_are_sha256(tmp_path: Path) -> None:
    data = b"x" * ((1 << 20) + 1)
    (tmp_path / "file").write_bytes(data)
    assert sha256(data) == sha256_of_file(str(tmp_path / "file")) == reference(data).digest()
