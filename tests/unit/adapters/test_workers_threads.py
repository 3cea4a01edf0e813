"""Threads for tasks: nothing of a task is held once it is done, and they end with whoever had it done."""

import gc
import threading
import weakref

from lockage.adapters.workers_local.threads import ThreadWorkers


class _Held:
    def task(self) -> str:
        return "done"


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("worker-")]


def test_threads_hold_nothing_of_what_they_have_done() -> None:
    workers, held = ThreadWorkers(), _Held()
    gone = weakref.ref(held)
    workers.start("one", held.task)
    assert workers.wait() == ("one", "done")
    del held
    gc.collect()
    assert gone() is None


def test_threads_end_when_nobody_has_anything_for_them_any_more() -> None:
    before = set(_threads())
    workers = ThreadWorkers()
    for key in "abc":
        workers.start(key, _Held().task)
    assert {workers.wait()[0] for _ in "abc"} == set("abc")
    threads = [thread for thread in _threads() if thread not in before]
    assert len(threads) == 3
    del workers
    gc.collect()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
