"""Steps that end in quick succession are told together, all of them, in their order, and soon."""

import threading
import time

import pytest

from lockage.base.name import StepName
from lockage.cli import together
from lockage.cli.together import Together
from lockage.record.event import StepEnded


def ended(number: int) -> StepEnded:
    return StepEnded(step=StepName(f"s{number}"), cached=False, failure=None, wall_ms=1)


class Screen:
    """Takes in what is told; ``gone`` from then on."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.threads: set[threading.Thread] = set()
        self.gone = False

    def __call__(self, events: list[StepEnded]) -> None:
        self.threads.add(threading.current_thread())
        if self.gone:
            raise OSError(5, "Input/output error")
        self.told.append([event.step for event in events])

    def until(self, count: int) -> None:
        for _ in range(500):
            if sum(map(len, self.told)) == count:
                return
            time.sleep(0.02)
        raise AssertionError(self.told)


def test_the_first_is_told_at_once_and_what_comes_soon_after_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_PAUSE", 60.0)  # however slow this machine is at the moment
    screen = Screen()
    one = Together(screen)
    for number in range(4):
        one.hear(ended(number))
    assert screen.told == [["s0"]]
    one.settle()
    assert screen.told == [["s0"], ["s1", "s2", "s3"]]
    one.settle()
    assert screen.threads == {threading.current_thread()}
    assert len(screen.told) == 2


def test_nothing_waits_until_something_else_happens() -> None:
    screen = Screen()
    one = Together(screen)
    for number in range(3):
        one.hear(ended(number))
    screen.until(3)
    for number in range(3, 9):
        one.hear(ended(number))
        time.sleep(together._PAUSE / 4)
    screen.until(9)
    assert [step for steps in screen.told for step in steps] == [f"s{number}" for number in range(9)]


def test_one_after_a_while_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_PAUSE", 0.0)
    screen = Screen()
    one = Together(screen)
    for number in range(3):
        one.hear(ended(number))
    assert screen.told == [["s0"], ["s1"], ["s2"]]


def test_what_could_not_be_printed_is_raised_by_the_next_call() -> None:
    screen = Screen()
    one = Together(screen)
    one.hear(ended(0))
    screen.gone = True
    one.hear(ended(1))
    for _ in range(500):
        if len(screen.threads) > 1:
            break
        time.sleep(0.02)
    time.sleep(0.02)
    with pytest.raises(OSError, match="Input/output error"):
        one.settle()
    one.settle()
