"""The contract of ports.Latches, over every adapter; and that files hold between processes."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.adapters.latches_local import LocalLatches
from lockage.adapters.memory import MemoryLatches
from lockage.base.name import LatchName
from lockage.ports import Latches, StoreUnwritable

A, B, C = (LatchName(name) for name in ("port-5432", "b", "c"))


@pytest.fixture(params=["local", "memory"])
def latches(request: pytest.FixtureRequest, tmp_path: Path) -> Latches:
    return LocalLatches(tmp_path / "latches") if request.param == "local" else MemoryLatches()


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_one_at_a_time_holds_a_name(latches: Latches) -> None:
    inside, most, guard = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(20):
            with latches.held([A]) as held:
                assert held
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with guard:
                    inside[0] -= 1

    threads = [beside(work) for _ in range(3)]
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert most == [1]


def test_other_names_and_no_names_wait_for_nobody(latches: Latches) -> None:
    with latches.held([A]) as one, latches.held([B, C]) as other, latches.held([]) as none:
        assert (one, other, none) == (True, True, True)


def test_several_names_in_any_order_do_not_block_each_other_for_ever(latches: Latches) -> None:
    def work(names: list[LatchName]) -> None:
        for _ in range(20):
            with latches.held(names) as held:
                assert held

    threads = [beside(lambda names=names: work(names)) for names in ([A, B], [B, A], [C, B], [B, C, A])]  # type: ignore[misc]  # a default binds each
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_who_waits_is_let_go_by_an_interruption_and_holds_nothing(latches: Latches) -> None:
    found: list[bool] = []

    def wait() -> None:
        with latches.held([B, A]) as held:
            found.append(held)

    with latches.held([A]):
        thread = beside(wait)
        while thread.is_alive():
            latches.interrupt()
            thread.join(0.05)
        assert found == [False]
        with latches.held([B]) as held:
            assert held
    with latches.held([A, B]) as held:
        assert held, "an interruption that is over counts for nobody"


def test_who_has_to_wait_is_told_for_whom_and_nobody_else_is(latches: Latches) -> None:
    told: list[LatchName] = []
    heard = threading.Event()

    def blocked(name: LatchName) -> None:
        told.append(name)
        heard.set()

    def wait() -> None:
        with latches.held([B, A], blocked) as held:
            assert held

    with latches.held([A, C], blocked):
        assert told == []
        thread = beside(wait)
        assert heard.wait(60)
    thread.join(60)
    assert not thread.is_alive()
    assert told == [A]


def test_what_is_raised_within_lets_go(latches: Latches) -> None:
    with pytest.raises(ValueError, match="no"), latches.held([A]):
        raise ValueError("no")
    with latches.held([A]) as held:
        assert held


# Files

HOLD = """
import sys
from pathlib import Path
from lockage.adapters.latches_local import LocalLatches
from lockage.base.name import LatchName
with LocalLatches(Path(sys.argv[1])).held([LatchName("port-5432")]) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


def test_a_process_excludes_another_until_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        latches, found = LocalLatches(tmp_path), []

        def wait() -> None:
            with latches.held([A]) as held:
                found.append(held)

        thread = beside(wait)
        thread.join(0.3)
        assert found == []
        process.kill()
        thread.join(60)
        assert found == [True]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match="file"), LocalLatches(tmp_path / "file" / "latches").held([A]):
        pass
