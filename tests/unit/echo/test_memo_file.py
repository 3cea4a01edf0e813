"""What a memo's file holds: what was written before this module was there is read, and nothing damaged."""

from lockage.base.digest import Digest
from lockage.echo.memo_file import body_of, place_of, value_in


def test_the_form_is_that_of_every_store() -> None:
    text = b"the key"
    body = len(text).to_bytes(8, "big") + text + b"the value"
    assert body_of("the key", b"the value") == Digest.of(body).raw + body
    assert place_of("kind", "the key") == f"kind/{Digest.of(text)[:2]}/{Digest.of(text)[2:]}"


def test_a_value_comes_back_and_no_other_key_has_it() -> None:
    data = body_of("a", b"value")
    assert value_in(data, "a") == b"value"
    assert value_in(data, "b") is None


def test_damage_anywhere_is_found() -> None:
    data = body_of("a", b"value")
    for place in range(len(data)):
        assert value_in(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], "a") is None
        assert value_in(data[:place], "a") is None
