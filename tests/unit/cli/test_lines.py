"""Lines come at once where they come one by one, many at once where they come quickly, and always in their order."""

from __future__ import annotations

import io
import threading
import time
from types import SimpleNamespace

import pytest

from lockage.cli import lines as module
from lockage.cli.lines import Lines

#: Longer than any test waits.
NEVER = 1000.0


class Spoken(io.StringIO):
    """Standard error that counts how often it is written to, and can be closed by its reader."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        self.broken = False

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError
        self.times += 1
        return super().write(text)


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Spoken:
    stream = Spoken()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=stream))
    return stream


def until(condition: object) -> None:
    """Wait for what another thread does."""
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_lines_that_come_one_by_one_are_printed_at_once(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    lines = Lines()
    for number in range(3):
        lines.print([str(number)])
        assert spoken.getvalue().splitlines() == [str(each) for each in range(number + 1)]
    assert not any(thread.name == "lines" for thread in threading.enumerate())


def test_lines_that_come_quickly_wait_for_each_other(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", NEVER)
    lines = Lines()
    expected = [str(number) for number in range(1000)]
    for line in expected:
        lines.print([line])
    assert spoken.getvalue() == "0\n"
    lines.close()
    assert spoken.getvalue().splitlines() == expected
    assert spoken.times == 2
    lines.close()
    assert spoken.times == 2


def test_what_waits_is_printed_without_being_asked_for(spoken: Spoken) -> None:
    lines = Lines()
    lines.print(["one"])
    lines.print(["two", "three"])
    until(lambda: spoken.getvalue() == "one\ntwo\nthree\n")
    lines.print(["four"])
    until(lambda: spoken.getvalue().endswith("four\n"))


def test_lines_of_many_threads_are_all_there_each_in_its_order(spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    lines = Lines()

    def tell(name: str) -> None:
        for number in range(200):
            lines.print([f"{name} {number}"])

    threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.close()
    found = spoken.getvalue().splitlines()
    for name in "abcd":
        assert [line for line in found if line.startswith(name)] == [f"{name} {number}" for number in range(200)]


def test_who_does_not_read_any_more_is_told_of_at_the_next_line(spoken: Spoken) -> None:
    lines = Lines()
    lines.print(["one"])
    spoken.broken = True
    lines.print(["two"])
    until(lambda: lines._error is not None)
    with pytest.raises(BrokenPipeError):
        lines.close()
    lines.close()


def test_it_is_told_at_once_where_nothing_waits(spoken: Spoken) -> None:
    spoken.broken = True
    with pytest.raises(BrokenPipeError):
        Lines().print(["one"])
