"""The contract of ports.Workers, over every adapter; and that threads run beside each other."""

import itertools
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from lockage.adapters.memory import MemoryWorkers
from lockage.adapters.workers_threads import ThreadWorkers
from lockage.ports import Workers


@pytest.fixture(params=["threads", "memory"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return ThreadWorkers() if request.param == "threads" else MemoryWorkers(seed=7)


def giving(value: object) -> Callable[[], object]:
    return lambda: value


def raising(error: BaseException) -> Callable[[], object]:
    def task() -> object:
        raise error

    return task


def test_every_task_ends_once_under_its_key(workers: Workers) -> None:
    for _ in range(2):
        for number in range(10):
            workers.start(f"task-{number}", giving(number))
        assert sorted((workers.wait() for _ in range(10)), key=str) == [(f"task-{number}", number) for number in range(10)]


def test_tasks_may_be_started_while_others_are_under_way(workers: Workers) -> None:
    workers.start("a", giving(1))
    workers.start("b", giving(2))
    first = workers.wait()
    workers.start("c", giving(3))
    assert {first, workers.wait(), workers.wait()} == {("a", 1), ("b", 2), ("c", 3)}


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_what_a_task_raises_is_its_result(workers: Workers, error: BaseException) -> None:
    workers.start("bad", raising(error))
    assert workers.wait() == ("bad", error)
    workers.start("good", giving(None))
    assert workers.wait() == ("good", None)


def test_waiting_for_nothing_is_a_fault(workers: Workers) -> None:
    with pytest.raises(RuntimeError):
        workers.wait()
    workers.start("a", giving(None))
    workers.wait()
    with pytest.raises(RuntimeError):
        workers.wait()


def test_what_is_abandoned_has_ended_or_never_begins(workers: Workers) -> None:
    stop = threading.Event()
    for number in range(3):
        workers.start(str(number), lambda: stop.wait(30))
    workers.abandon(stop.set)
    with pytest.raises(RuntimeError):
        workers.wait()
    workers.start("again", giving(1))
    assert workers.wait() == ("again", 1)


def test_abandoning_nothing_interrupts_nothing(workers: Workers) -> None:
    workers.abandon(lambda: pytest.fail("there was nothing"))


# What each has of its own


class Signal(BaseException):
    """As a signal's handler raises."""


def test_threads_are_abandoned_wherever_a_signal_breaks_off_the_waiting() -> None:
    """A handler raises between any two instructions: a result may be lost, a count be wrong, and still nothing is waited for twice."""

    def raised_at(stop_at: int) -> bool:
        count = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:  # Any: what settrace takes
            nonlocal count
            if frame.f_globals["__name__"] != "lockage.adapters.workers_threads":
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                count += 1
                if count == stop_at:
                    raise Signal
            return trace

        workers, stop, under_way = ThreadWorkers(), threading.Event(), set()
        calls = itertools.count()

        def interrupt() -> None:
            assert next(calls) < 200, "a thread does not end"
            stop.set()

        def task(key: str, seconds: float) -> None:
            under_way.add(key)
            stop.wait(seconds)
            under_way.discard(key)

        sys.settrace(trace)
        try:
            workers.start("short", lambda: task("short", 0))
            workers.start("long", lambda: task("long", 60))
            workers.wait()
        except Signal:
            sys.settrace(None)
            workers.abandon(interrupt)
            assert not under_way
            workers.start("again", giving(stop_at))
            assert workers.wait() == ("again", stop_at)
            return True
        finally:
            sys.settrace(None)
            stop.set()
        return False

    stop_at = 1
    while raised_at(stop_at):
        stop_at += 1
    assert stop_at > 100


def test_threads_run_beside_each_other_and_are_used_again() -> None:
    workers, meeting = ThreadWorkers(), threading.Barrier(3, timeout=30)
    for _ in range(3):
        for number in range(3):
            workers.start(str(number), lambda: (meeting.wait(), threading.get_ident())[1])
        assert len({workers.wait()[1] for _ in range(3)}) == 3
    assert workers._threads == 3


def test_the_order_in_memory_follows_from_the_seed() -> None:
    def order(seed: int) -> tuple[str, ...]:
        workers = MemoryWorkers(seed)
        for key in "abcd":
            workers.start(key, giving(None))
        return tuple(workers.wait()[0] for _ in range(4))

    assert order(3) == order(3)
    assert len({order(seed) for seed in range(20)}) > 5
