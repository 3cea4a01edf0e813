"""The contract of ports.Workers, over every adapter; and that threads run beside each other."""

import threading
from collections.abc import Callable

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


# What each has of its own


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
