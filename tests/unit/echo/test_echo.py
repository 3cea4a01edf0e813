"""An echo as bytes. That it answers as the whole program does is shown in tests/property/test_echo.py."""

from pathlib import Path

import pytest

from lockage.echo.echo import ECHO_MEMO, Echo, format_of, recalled
from lockage.echo.fields import packed, sha256
from lockage.echo.memo_file import body_of, place_of

ECHO = Echo(
    errors="  1 step unchanged\n",
    output="shop 1.0 ünd \udcff\n",
    locator=".",
    source=b"seen",
    store_format=b"1\n",
    out="/here/dist",
    files=(("/here/dist/a", bytes(32)), ("/here/dist/\udcff", b"\1" * 32)),
    actions=(b"a" * 32, b"\2" * 8),
    blobs=(b"b" * 64, b"\3" * 16),
    facts=b"\4" * 32,
    present=(b"c" * 32, b"\5" * 8),
    packs=(packed([b"blobs/packs/1", b"actions/packs/2"]), b"\6" * 48),
)


def test_an_echo_comes_back() -> None:
    assert vars(Echo.decoded(ECHO.encoded())) == vars(ECHO)


@pytest.mark.parametrize("data", [b"", b"x", ECHO.encoded()[:-20], ECHO.encoded() + bytes(8)])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Echo.decoded(data)


def test_it_is_found_where_the_memo_has_it(tmp_path: Path) -> None:
    key = b"a command"
    name = sha256(key).hex()
    file = tmp_path / "memo" / place_of(ECHO_MEMO, name)
    with pytest.raises(FileNotFoundError):
        recalled(str(tmp_path), key)
    file.parent.mkdir(parents=True)
    file.write_bytes(body_of(name, ECHO.encoded()))
    found = recalled(str(tmp_path), key)
    assert found is not None
    assert vars(found) == vars(ECHO)
    file.write_bytes(body_of(name, ECHO.encoded())[:-1])
    assert recalled(str(tmp_path), key) is None


def test_a_store_need_not_say_its_format(tmp_path: Path) -> None:
    assert format_of(str(tmp_path)) == b""
    (tmp_path / "format").write_text("1\n")
    assert format_of(str(tmp_path)) == b"1\n"
