"""Helpers say of each file what hashing it here says, and of what they cannot read nothing."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lockage.base.digest import BlobRef
from lockage.hashing import Hashed, files, hashed, worthwhile

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (0, 1, 2047, 2048, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, (5 << 20) + 3, *range(3000))


@pytest.fixture
def tree(tmp_path: Path) -> tuple[bytes, dict[bytes, bytes]]:
    """A folder with files of many sizes, and one whose name is not text."""
    made = {b"%d/%d" % (number % 7, number): (b"%d" % number * size)[:size] for number, size in enumerate(SIZES)}
    made[b"0/\xff"] = b"x"
    top = os.fsencode(tmp_path)
    for number in range(7):
        (tmp_path / str(number)).mkdir()
    for name, data in made.items():
        with open(os.path.join(top, name), "wb") as file:  # noqa: PTH118, PTH123  # names are bytes
            file.write(data)
    return top, made


def asked(made: dict[bytes, bytes]) -> list[tuple[bytes, int]]:
    return [(name, len(data)) for name, data in made.items()]


def test_every_file_is_told_once_with_its_digest(tree: tuple[bytes, dict[bytes, bytes]]) -> None:
    top, made = tree
    found = sorted(hashed(top, asked(made)))
    assert [one.place for one in found] == list(range(len(made)))
    for one, data in zip(found, made.values(), strict=True):
        assert one.digest is not None
        assert BlobRef(one.digest, one.size) == BlobRef.of(data)
        assert not one.present


def test_a_wrong_guess_of_a_size_does_not_matter(tree: tuple[bytes, dict[bytes, bytes]]) -> None:
    top, made = tree
    found = sorted(hashed(top, ((name, 10**9 - len(data)) for name, data in made.items())))
    assert [(one.digest, one.size) for one in found] == [(BlobRef.of(data).digest, len(data)) for data in made.values()]


def test_what_cannot_be_read_is_told_without_a_digest(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    found = sorted(hashed(os.fsencode(tmp_path), [(b"gone", 1), (b"file", 1), (b"folder", 1), (b"file/below", 1)]))
    assert [one.digest for one in found] == [None, BlobRef.of(b"x").digest, None, None]


def test_a_folder_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    assert list(hashed(os.fsencode(tmp_path / "gone"), [(b"a", 1)])) == [Hashed(0, None, 0, present=False)]


def test_a_store_is_asked_for_name_and_size(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for data, kept in ((b"whole", b"whole"), (b"cut off", b"cut")):
        digest = BlobRef.of(data).digest
        (store / digest[:2]).mkdir(parents=True)
        (store / digest[:2] / digest[2:]).write_bytes(kept)
        (tmp_path / data.decode()).write_bytes(data)
    (tmp_path / "new").write_bytes(b"new")
    found = sorted(hashed(os.fsencode(tmp_path), [(b"whole", 5), (b"cut off", 7), (b"new", 3)], store=os.fsencode(store)))
    assert [one.present for one in found] == [True, False, False]


def test_what_a_helper_that_ended_was_asked_is_told_without_a_digest(
    tree: tuple[bytes, dict[bytes, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    top, made = tree
    helpers: list[files._Helper] = []
    begun = files._started

    def started(top: bytes, store: bytes) -> list[files._Helper]:
        new = begun(top, store)
        helpers.extend(new)
        return new

    monkeypatch.setattr(files, "_started", started)
    monkeypatch.setattr(files, "_cores", lambda: 2)
    answers = hashed(top, asked(made))
    found = [next(answers)]
    helpers[0]._process.send_signal(signal.SIGKILL)
    helpers[0]._process.wait()
    helpers[1]._process.send_signal(signal.SIGKILL)
    helpers[1]._process.wait()
    found += answers
    assert sorted(one.place for one in found) == list(range(len(made)))
    assert any(one.digest is None for one in found)
    right = [BlobRef.of(data).digest for data in made.values()]
    assert all(one.digest in (None, right[one.place]) for one in found)


def test_helpers_end_when_nobody_listens_any_more(tree: tuple[bytes, dict[bytes, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    top, made = tree
    helpers: list[files._Helper] = []
    begun = files._started

    def started(top: bytes, store: bytes) -> list[files._Helper]:
        new = begun(top, store)
        helpers.extend(new)
        return new

    monkeypatch.setattr(files, "_started", started)

    def broken() -> Iterator[tuple[bytes, int]]:
        yield from asked(made)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(hashed(top, broken()))
    answers = hashed(top, asked(made))
    next(answers)
    answers.close()
    assert len(helpers) >= 2
    assert all(helper._process.returncode is not None for helper in helpers)


def test_where_no_process_can_be_started_nothing_is_told(tree: tuple[bytes, dict[bytes, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    top, made = tree
    monkeypatch.setattr(sys, "executable", str(Path(os.fsdecode(top)) / "no such program"))
    assert {one.digest for one in hashed(top, asked(made))} == {None}
    monkeypatch.setattr(sys, "executable", "")
    assert {one.digest for one in hashed(top, asked(made))} == {None}


def test_few_small_files_are_not_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_cores", lambda: 2)
    assert not worthwhile(100, 1 << 20)
    assert worthwhile(10_000, 0)
    assert worthwhile(1, 1 << 30)
    monkeypatch.setattr(files, "_cores", lambda: 1)
    assert not worthwhile(10_000, 1 << 30)


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="only Linux lets a program choose how much a pipe holds")
def test_pipes_that_hold_little_do_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "d" * 200
    (tmp_path / folder).mkdir()
    names = [f"{folder}/{number}".encode() for number in range(2000)]
    for number in range(2000):
        (tmp_path / folder / str(number)).touch()
    real = subprocess.Popen

    def small(*arguments: Any, **more: Any) -> subprocess.Popen[bytes]:  # Any: whatever it is called with
        return real(*arguments, pipesize=4096, **more)

    monkeypatch.setattr(subprocess, "Popen", small)
    monkeypatch.setattr(files, "_cores", lambda: 2)
    stuck = threading.Timer(60, lambda: os.kill(os.getpid(), signal.SIGINT))
    stuck.start()
    try:
        found = list(hashed(os.fsencode(tmp_path), [(name, 0) for name in names]))
    finally:
        stuck.cancel()
    assert {one.digest for one in found} == {BlobRef.of(b"").digest}
    assert len(found) == 2000


def test_descriptors_may_have_any_number(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
    held: list[int] = []
    try:
        while not held or held[-1] < 1100:  # select(2) knows those below 1024
            held.append(os.open(os.devnull, os.O_RDONLY))
        (found,) = hashed(os.fsencode(tmp_path), [(b"a", 1)])
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert found.digest == BlobRef.of(b"a").digest


def test_too_few_descriptors_are_no_fault(tree: tuple[bytes, dict[bytes, bytes]]) -> None:
    top, made = tree
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    for free in range(8):  # of the pipes of a first or second helper some, or none
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, limit[1]))
        try:
            found = sorted(hashed(top, asked(made)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        assert [one.place for one in found] == list(range(len(made)))
    again = os.open(os.devnull, os.O_RDONLY)
    os.close(again)
    if sys.version_info >= (3, 11, 4):  # before, Popen lost a pipe where there was no room for the next
        assert again == lowest, "nothing was left open"


def test_who_waits_for_the_last_file_does_nothing_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(256 << 20)
    monkeypatch.setattr(files, "_cores", lambda: 2)
    turns = 0
    exchanged = files._exchanged

    def counted(*arguments: Any, **more: Any) -> Iterator[Hashed]:  # Any: as above
        nonlocal turns
        turns += 1
        return exchanged(*arguments, **more)

    monkeypatch.setattr(files, "_exchanged", counted)
    (found,) = hashed(os.fsencode(tmp_path), [(b"large", 256 << 20)])
    assert found.size == 256 << 20
    assert turns < 10


def test_names_may_be_any_that_a_file_can_have(tmp_path: Path) -> None:
    top = os.fsencode(tmp_path)
    names = [b"\n", b"a\nb\r", b"-", b"\\0", b"\x01", b"\xff" * 255, b" ", b"'\"", b"\xc3\xa9"]
    for name in names:
        with open(os.path.join(top, name), "wb") as file:  # noqa: PTH118, PTH123  # names are bytes
            file.write(name)
    found = sorted(hashed(top, [(name, 1) for name in names]))
    assert [one.digest for one in found] == [BlobRef.of(name).digest for name in names]


ENDLESS = """
import os, sys
from lockage.hashing import files, hashed
files._cores = lambda: 2
def names():
    yield from ((b"large", 1 << 40) for _ in range(2))
    for helper in {helper for helper in started}:
        print(helper._process.pid, flush=True)
    print("-", flush=True)
started, begun = [], files._started
def noted(top, store):
    started.extend(begun(top, store))
    return list(started)
files._started = noted
try:
    list(hashed(os.fsencode(sys.argv[1]), names()))
except KeyboardInterrupt:
    sys.exit(130)
"""


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are looked at in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_helpers_do_not_outlive_who_asked(tmp_path: Path, how: signal.Signals) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 30)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", ENDLESS, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as asking:
        assert asking.stdout is not None
        helpers = []
        while (line := asking.stdout.readline().strip()) != "-":
            helpers.append(int(line))
        assert len(helpers) == 2
        assert all(map(is_alive, helpers))
        asking.send_signal(how)
        assert asking.wait() == (130 if how == signal.SIGINT else -how)
    for _ in range(600):  # one that was not told ends with the file that it reads
        if not any(map(is_alive, helpers)):
            return
        threading.Event().wait(0.1)
    pytest.fail("a helper is left")


def test_a_program_that_is_no_interpreter_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_cores", lambda: 2)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not worthwhile(10_000, 1 << 30)
