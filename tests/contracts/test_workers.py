"""The contract of ports.Workers, over every adapter; and that threads run beside each other, and performances in one."""

import itertools
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import pytest

from lockage.adapters.memory import MemoryWorkers
from lockage.adapters.workers_local import LoopWorkers
from lockage.ports.workers import HELD, Aside, Performance, Waiting, Workers


@pytest.fixture(params=["loop", "memory"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return LoopWorkers() if request.param == "loop" else MemoryWorkers(seed=7)


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


# Performances


class Pipe:
    """What a performance may wait for."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def say(self, data: bytes) -> bytes:
        os.write(self.write, data)
        return data

    @property
    def said(self) -> Waiting:
        return Waiting(((self.read, select.POLLIN),), 60.0)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe()
    yield found
    os.close(found.read)
    os.close(found.write)


def reading(pipe: Pipe, closed: list[str]) -> Performance:
    """Held, and then what comes out of the pipe, as often as something comes up to a full stop."""
    found = b""
    try:
        yield HELD
        while not found.endswith(b"."):
            ready: Mapping[int, int] = yield pipe.said
            assert ready == {pipe.read: select.POLLIN}
            found += os.read(pipe.read, 100)
        return found
    finally:
        closed.append("closed")


def test_a_performance_goes_on_when_it_is_released_and_what_it_waits_for_has_happened(workers: Workers, pipe: Pipe) -> None:
    closed: list[str] = []
    workers.begin("reading", reading(pipe, closed))
    workers.start("other", giving(1))
    assert workers.wait() == ("other", 1)
    pipe.say(b"a word.")
    workers.release("reading")
    assert (workers.wait(), closed) == (("reading", b"a word."), ["closed"])
    with pytest.raises(RuntimeError):
        workers.wait()


def test_what_a_performance_raises_is_its_result_once_it_is_released(workers: Workers) -> None:
    def failing() -> Performance:
        if error is not None:
            raise error
        yield HELD
        raise ValueError("late")

    for error in (KeyError("early"), None):
        workers.begin("failing", failing())
        workers.release("failing")
        key, found = workers.wait()
        assert (key, type(found)) == ("failing", ValueError if error is None else KeyError)


def test_a_performance_goes_on_with_what_was_done_aside(workers: Workers) -> None:
    def asking() -> Performance:
        yield HELD
        found = [(yield Aside(giving(3)))]
        try:
            yield Aside(raising(ValueError("no")))
        except ValueError as error:
            found.append(str(error))
        return found

    for key in ("one", "two"):
        workers.begin(key, asking())
        workers.release(key)
    workers.start("three", giving(None))
    assert sorted((workers.wait() for _ in range(3)), key=str) == [("one", [3, "no"]), ("three", None), ("two", [3, "no"])]


def test_a_performance_goes_on_when_the_time_is_over(workers: Workers, pipe: Pipe) -> None:
    def patient() -> Performance:
        yield HELD
        ready = yield Waiting(((pipe.read, select.POLLIN),), 0.01)
        return dict(ready)

    workers.begin("patient", patient())
    workers.release("patient")
    assert workers.wait() == ("patient", {})


def test_what_is_dismissed_is_closed_and_forgotten(workers: Workers, pipe: Pipe) -> None:
    closed: list[str] = []
    workers.begin("reading", reading(pipe, closed))
    workers.dismiss(["reading"])
    assert closed == (["closed"] if isinstance(workers, LoopWorkers) else [])  # in memory it has not begun
    with pytest.raises(RuntimeError):
        workers.wait()
    workers.begin("reading", reading(pipe, closed))
    pipe.say(b"again.")
    workers.release("reading")
    assert workers.wait() == ("reading", b"again.")


# What each has of its own


def test_performances_are_done_by_one_thread_beside_each_other() -> None:
    workers, pipes, closed = LoopWorkers(), [Pipe() for _ in range(5)], list[str]()
    for number, one in enumerate(pipes):
        workers.begin(str(number), reading(one, closed))
        workers.release(str(number))
    workers.start("writer", lambda: b"".join(one.say(b"word.") for one in reversed(pipes)))
    found = dict(workers.wait() for _ in range(6))
    assert [found[str(number)] for number in range(5)] == [b"word."] * 5
    workers.start("slow", giving("told by a thread"))
    workers.begin("last", reading(pipes[0], closed))
    workers.release("last")
    assert workers.wait() == ("slow", "told by a thread")
    pipes[0].say(b"end.")
    assert workers.wait() == ("last", b"end.")


def test_what_is_dismissed_is_not_closed_while_something_of_it_is_done_aside() -> None:
    workers, seen = LoopWorkers(), list[str]()
    begun, go_on = threading.Event(), threading.Event()

    def task() -> None:
        begun.set()
        assert go_on.wait(60)
        seen.append("done")

    def asking() -> Performance:
        try:
            yield Aside(task)
            yield HELD
            return None
        finally:
            seen.append("closed")

    workers.begin("asking", asking())
    assert begun.wait(60)
    threading.Timer(0.05, go_on.set).start()
    workers.dismiss(["asking"])
    assert seen == ["done", "closed"]


def test_who_always_has_something_to_say_does_not_keep_another_from_its_time(pipe: Pipe) -> None:
    workers, silent, turns = LoopWorkers(), Pipe(), 0

    def chatty() -> Performance:
        nonlocal turns
        pipe.say(b".")
        yield HELD
        while turns < 100_000:
            yield pipe.said  # which is never read
            turns += 1
        return None

    def patient() -> Performance:
        yield HELD
        yield Waiting(((silent.read, select.POLLIN),), 0.01)
        return turns

    for key, performance in (("chatty", chatty()), ("patient", patient())):
        workers.begin(key, performance)
        workers.release(key)
    key, found = workers.wait()
    assert (key, turns) == ("patient", found)
    workers.abandon(lambda: None)


def test_a_signal_that_comes_within_a_piece_is_heeded_after_it(pipe: Pipe) -> None:
    """Nothing that a piece has made is lost, and nothing waits for what will not come."""
    workers, seen = LoopWorkers(), list[str]()

    def struck() -> Performance:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("whole")
            yield pipe.said
            return None
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # once more, while it is being closed
            seen.append("closed")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        workers.begin("struck", struck())
    assert seen == ["whole"]
    workers.abandon(lambda: seen.append("interrupted"))
    assert seen == ["whole", "interrupted", "closed"]
    assert signal.getsignal(signal.SIGINT) == before


def test_what_cannot_be_closed_keeps_nothing_else_from_being(pipe: Pipe) -> None:
    workers, closed = LoopWorkers(), list[str]()

    def stubborn() -> Performance:
        try:
            yield HELD
            return None
        finally:
            raise OSError("no")

    workers.begin("stubborn", stubborn())
    workers.begin("reading", reading(pipe, closed))
    workers.abandon(lambda: None)
    assert closed == ["closed"]
    workers.start("again", giving(1))
    assert workers.wait() == ("again", 1)


def test_a_signal_breaks_off_the_waiting(pipe: Pipe) -> None:
    workers, closed = LoopWorkers(), list[str]()
    before = signal.getsignal(signal.SIGINT)
    workers.begin("reading", reading(pipe, closed))
    workers.release("reading")
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        workers.wait()
    workers.abandon(lambda: None)
    assert (closed, signal.getsignal(signal.SIGINT)) == (["closed"], before)


def test_handlers_are_as_they_were_when_nothing_is_performed(pipe: Pipe) -> None:
    before = signal.getsignal(signal.SIGINT)
    workers = LoopWorkers()
    workers.begin("reading", reading(pipe, []))
    assert signal.getsignal(signal.SIGINT) != before
    pipe.say(b"word.")
    workers.release("reading")
    workers.wait()
    assert signal.getsignal(signal.SIGINT) == before


class Signal(BaseException):
    """As a signal's handler raises."""


def test_all_is_abandoned_wherever_a_signal_breaks_off_the_waiting() -> None:
    """A handler raises between any two instructions: a result may be lost, a count be wrong, and still nothing is waited for twice."""

    def raised_at(stop_at: int) -> bool:
        count = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:  # Any: what settrace takes
            nonlocal count
            if not frame.f_globals["__name__"].startswith("lockage.adapters.workers_local."):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                count += 1
                if count == stop_at:
                    raise Signal
            return trace

        workers, stop, under_way, pipe = LoopWorkers(), threading.Event(), set(), Pipe()
        calls = itertools.count()

        def interrupt() -> None:
            assert next(calls) < 200, "a thread does not end"
            stop.set()

        def task(key: str, seconds: float) -> None:
            under_way.add(key)
            stop.wait(seconds)
            under_way.discard(key)

        def performance(key: str) -> Performance:
            under_way.add(key)
            try:
                yield HELD
                yield pipe.said
                return None
            finally:
                under_way.discard(key)

        sys.settrace(trace)
        try:
            workers.start("short", lambda: task("short", 0))
            for key in ("held", "released"):
                workers.begin(key, performance(key))
            workers.release("released")
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
    workers, meeting = LoopWorkers(), threading.Barrier(3, timeout=30)
    for _ in range(3):
        for number in range(3):
            workers.start(str(number), lambda: (meeting.wait(), threading.get_ident())[1])
        assert len({workers.wait()[1] for _ in range(3)}) == 3
    assert workers._threads._threads == 3


def test_the_order_in_memory_follows_from_the_seed() -> None:
    def order(seed: int) -> tuple[str, ...]:
        workers = MemoryWorkers(seed)
        for key in "abcd":
            workers.start(key, giving(None))
        return tuple(workers.wait()[0] for _ in range(4))

    assert order(3) == order(3)
    assert len({order(seed) for seed in range(20)}) > 5
