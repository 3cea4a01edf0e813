"""The contract of ports.Ledger, over every adapter; and what only a database on a disk can suffer."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.adapters.ledger_sql import SqlLedger
from lockage.adapters.memory import MemoryLedger
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName
from lockage.ledger import (
    Checkpoint,
    Entry,
    InvalidCheckpoint,
    LedgerCorrupt,
    PolicySet,
    Prepared,
    StoreCreated,
    VerifierKey,
    prepare_append,
    verify_ledger,
)
from lockage.ledger.checkpoint import sign_checkpoint
from lockage.ledger.merkle import extend
from lockage.ports import Ledger, LedgerConflict, StoreUnreadable, StoreUnwritable

ORIGIN = "example.test/store"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(name=ORIGIN, public=PRIVATE.public_key().public_bytes_raw())
ME = PrincipalName("me")
NOW = Instant.parse("2026-11-23T20:00:00Z")


def policy(n: int) -> PolicySet:
    return PolicySet(actor=ME, channel=ChannelName("dev"), policy=Digest.of(b"%d" % n))


def prepared(ledger: Ledger, *drafts: Entry, now: Instant = NOW) -> Prepared:
    head = ledger.head()
    first = () if head is not None else (StoreCreated(actor=ME, origin=ORIGIN, trust_root=Digest.of(b"root")),)
    return prepare_append(head, (*first, *drafts), now=now, key=KEY, sign=PRIVATE.sign)


def commit(ledger: Ledger, made: Prepared) -> None:
    ledger.append(made.data, expected=made.expected, checkpoint=made.checkpoint, time=made.time)


@pytest.fixture(params=["sql", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return SqlLedger(tmp_path / "store" / "ledger.db") if request.param == "sql" else MemoryLedger()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "ledger.db"


def whole(ledger: Ledger) -> int:
    head = ledger.head()
    assert head is not None
    return verify_ledger(ledger.entries(), head.checkpoint, [KEY], ledger.node).size


def test_an_empty_ledger_has_no_head(ledger: Ledger) -> None:
    assert ledger.head() is None
    assert list(ledger.entries()) == []
    assert ledger.node(0, 0) is None


def test_appends_are_there_with_tree_and_checkpoint(ledger: Ledger) -> None:
    expected: list[bytes] = []
    for n in range(9):
        made = prepared(ledger, *(policy(n * 10 + k) for k in range(n)), policy(n))
        commit(ledger, made)
        expected.extend(made.data)
        head = ledger.head()
        assert head is not None
        assert (head.size, head.edge, head.time, head.checkpoint) == (len(expected), made.edge, made.time, made.checkpoint)
    assert list(ledger.entries()) == expected
    assert list(ledger.entries(3, 7)) == expected[3:7]
    assert list(ledger.entries(5)) == expected[5:]
    assert list(ledger.entries(len(expected))) == []
    assert list(ledger.entries(0, 10_000)) == expected
    assert whole(ledger) == len(expected)
    _, nodes = extend((), 0, expected)
    assert all(ledger.node(node.level, node.index) == node.hash for node in nodes)
    assert ledger.node(0, len(expected)) is None
    assert ledger.node(30, 0) is None


def test_an_append_that_expects_another_size_changes_nothing(ledger: Ledger) -> None:
    first, second = prepared(ledger, policy(1)), prepared(ledger, policy(2))
    commit(ledger, first)
    before = ledger.head()
    with pytest.raises(LedgerConflict) as caught:
        commit(ledger, second)
    assert caught.value.details == {"expected": 0, "found": 2}
    assert ledger.head() == before
    assert whole(ledger) == 2


def test_a_checkpoint_of_another_tree_is_not_kept(ledger: Ledger) -> None:
    made = prepared(ledger, policy(1))
    for wrong in (Checkpoint(origin=ORIGIN, size=2, root=bytes(32)), Checkpoint(origin=ORIGIN, size=3, root=made.root)):
        with pytest.raises(LedgerCorrupt):
            ledger.append(made.data, expected=0, checkpoint=sign_checkpoint(wrong, KEY, PRIVATE.sign), time=NOW)
    with pytest.raises(LedgerCorrupt):
        ledger.append(made.data, expected=0, checkpoint=b"no checkpoint", time=NOW)
    assert ledger.head() is None
    commit(ledger, made)


def test_time_does_not_go_back(ledger: Ledger) -> None:
    commit(ledger, prepared(ledger))
    earlier = Instant(NOW - 100)
    made = prepared(ledger, policy(1), now=earlier)
    assert made.time == NOW
    with pytest.raises(LedgerCorrupt):
        ledger.append(made.data, expected=1, checkpoint=made.checkpoint, time=earlier)
    commit(ledger, made)


# What only a database has


def test_another_process_sees_it(file: Path) -> None:
    ledger = SqlLedger(file)
    commit(ledger, prepared(ledger, policy(1)))
    again = SqlLedger(file)
    assert again.head() == ledger.head()
    assert file.stat().st_mode & 0o777 == 0o600


RACER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_ledger as t
from lockage.ports import LedgerConflict
ledger = t.SqlLedger(Path(sys.argv[2]))
done = 0
while done < 20:
    try:
        t.commit(ledger, t.prepared(ledger, t.policy(done)))
        done += 1
    except LedgerConflict:
        pass
"""


def test_processes_race_and_none_is_lost(file: Path) -> None:
    command = [sys.executable, "-c", RACER, str(Path(__file__).parent), str(file)]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert whole(SqlLedger(file)) == 41


def test_threads_race_and_one_wins(file: Path) -> None:
    made = prepared(SqlLedger(file), policy(1))
    results: list[str] = []

    def work() -> None:
        try:
            commit(SqlLedger(file), made)
            results.append("won")
        except LedgerConflict:
            results.append("conflict")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["conflict", "conflict", "conflict", "won"]


KILLED = """
sys.path.insert(0, {folder!r})
import test_ledger as t
ledger = t.SqlLedger(home / "ledger.db")
if ledger.head() is None:
    t.commit(ledger, t.prepared(ledger, t.policy(1)))
t.commit(ledger, t.prepared(ledger, t.policy(2), t.policy(3)))
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_state_before_or_after(tmp_path: Path, run_killed: Callable[[str, int, object], int]) -> None:
    code = KILLED.format(folder=str(Path(__file__).parent))
    for step in range(1, 20):
        home = tmp_path / str(step)
        killed = run_killed(code, step, home)
        ledger = SqlLedger(home / "ledger.db")
        head = ledger.head()
        assert head is None or whole(ledger) in (2, 4)
        size = head.size if head is not None else 0
        commit(ledger, prepared(ledger, policy(9), policy(9)))
        assert whole(ledger) == (size + 2 if size else 3)
        ledger.close()
        assert [path.name for path in home.iterdir()] == ["ledger.db"]
        if killed == 0:
            assert step > 8
            return
    pytest.fail("the child was still being killed at the last step")


FULL = """
import resource
sys.path.insert(0, {folder!r})
import test_ledger as t
ledger = t.SqlLedger(home / "ledger.db")
t.commit(ledger, t.prepared(ledger, t.policy(1)))
before = ledger.head()
resource.setrlimit(resource.RLIMIT_FSIZE, (70000, 70000))
for attempt in range(2):
    try:
        t.commit(ledger, t.prepared(ledger, *map(t.policy, range(2000))))
    except t.StoreUnwritable as error:
        assert str(home) in error.message, error.message
    else:
        raise SystemExit("was appended")
    assert ledger.head() == before
assert t.whole(ledger) == 2
"""


def test_a_full_disk_changes_nothing(tmp_path: Path, run_killed: Callable[[str, int, object], int]) -> None:
    assert run_killed(FULL.format(folder=str(Path(__file__).parent)), 0, tmp_path) == 0
    ledger = SqlLedger(tmp_path / "ledger.db")
    assert whole(ledger) == 2
    commit(ledger, prepared(ledger, policy(5)))
    assert whole(ledger) == 3


def test_a_file_that_is_no_ledger_is_damage(file: Path) -> None:
    for data in (b"", b"not a database" * 1000):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        with pytest.raises(LedgerCorrupt, match=r"ledger\.db"):
            SqlLedger(file).head()


def test_a_newer_layout_asks_for_an_upgrade(file: Path) -> None:
    ledger = SqlLedger(file)
    commit(ledger, prepared(ledger))
    ledger.close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StoreUnreadable, match="layout 2") as caught:
        SqlLedger(file).head()
    assert "Upgrade" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE node SET hash = zeroblob(32) WHERE level = 0 AND position = 4",
        "DELETE FROM node WHERE level = 2",
        "DELETE FROM entry WHERE sequence = 4",
        "DELETE FROM head",
        "UPDATE head SET size = 4",
        "UPDATE head SET checkpoint = x'00'",
    ],
)
def test_nothing_is_appended_to_a_damaged_tree(file: Path, damage: str) -> None:
    ledger = SqlLedger(file)
    made = prepared(ledger, *map(policy, range(4)))
    commit(ledger, made)
    late = prepared(ledger, policy(9))
    ledger.close()
    with sqlite3.connect(file) as connection:
        connection.execute(damage)
    connection.close()
    before = file.read_bytes()
    with pytest.raises(LedgerCorrupt):
        commit(SqlLedger(file), late)
    assert file.read_bytes() == before


def test_a_missing_entry_is_noticed_while_reading(file: Path) -> None:
    ledger = SqlLedger(file)
    commit(ledger, prepared(ledger, *map(policy, range(4))))
    ledger.close()
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM entry WHERE sequence = 2")
    connection.close()
    with pytest.raises(LedgerCorrupt, match="entry 2 is missing"):
        list(SqlLedger(file).entries())


@pytest.mark.slow
def test_every_flipped_byte_of_the_file_is_noticed_or_harmless(file: Path) -> None:
    ledger = SqlLedger(file)
    commit(ledger, prepared(ledger, *map(policy, range(12))))
    ledger.close()
    good = file.read_bytes()
    whole_bytes = list(SqlLedger(file).entries())
    for at in range(0, len(good), 97):
        file.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        for name in ("-wal", "-shm"):
            file.with_name(file.name + name).unlink(missing_ok=True)
        damaged = SqlLedger(file)
        try:
            head = damaged.head()
            assert head is not None
            verify_ledger(damaged.entries(), head.checkpoint, [KEY], damaged.node)
            assert list(damaged.entries()) == whole_bytes
        except (InvalidCheckpoint, LedgerCorrupt, StoreUnreadable, StoreUnwritable):
            pass
        finally:
            damaged.close()


def test_a_ledger_below_a_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    ledger = SqlLedger(tmp_path / "file" / "ledger.db")
    assert ledger.head() is None
    with pytest.raises(StoreUnwritable):
        commit(ledger, prepared(ledger))
