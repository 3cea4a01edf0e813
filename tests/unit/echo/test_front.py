"""The front door opens for nothing but what it knows. What it answers then is shown in tests/property/test_echo.py."""

import io
import sys
from pathlib import Path

import pytest

from lockage.cli import main
from lockage.echo import front
from lockage.echo.echo import Echo


def an_echo() -> Echo:
    none = (b"", b"")
    return Echo(
        errors="unchanged\n", output="naïve\n", locator=".", source=b"", store_format=b"", out="", files=(), actions=none, blobs=none,
        facts=b"", present=none, packs=none,
    )  # fmt: skip


def streams(monkeypatch: pytest.MonkeyPatch, output: io.BytesIO | None = None) -> tuple[io.BytesIO, io.BytesIO]:
    """What the process prints to from now on: what arrives there."""
    pair = output or io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pair[0], "ascii"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(pair[1], "ascii"))
    return pair


@pytest.mark.parametrize("words", [[], ["test"], ["--json", "build"], ["status"]])
def test_other_commands_are_for_the_whole_program(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch)
    monkeypatch.setattr(front, "_holding", lambda _: an_echo())
    assert not front.answered(words)


def test_a_build_without_an_echo_is_for_the_whole_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, _ = streams(monkeypatch)
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path))
    assert not front.answered(["build"])
    sys.stdout.flush()
    assert output.getvalue() == b""


def test_where_there_is_nothing_to_print_to_nothing_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_holding", lambda _: an_echo())
    monkeypatch.setattr(sys, "stdout", None)
    assert not front.answered(["build"])


def test_what_the_encoding_cannot_say_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    output, errors = streams(monkeypatch)
    monkeypatch.setattr(front, "_holding", lambda _: an_echo())
    with pytest.raises(SystemExit) as ended:
        main(["build"])
    assert ended.value.code is None
    sys.stdout.flush()
    assert output.getvalue() == b"na\\xefve\n"
    assert errors.getvalue() == b"unchanged\n"


class Gone(io.BytesIO):
    """A pipe that nobody reads."""

    def write(self, _: object) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone_ends_it_as_it_ends_the_whole_program(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = an_echo()
    echo.output = "x" * 100_000  # more than is buffered
    streams(monkeypatch, Gone())
    monkeypatch.setattr(front, "_holding", lambda _: echo)
    with pytest.raises(SystemExit) as ended:
        main(["build"])
    assert ended.value.code == 141
