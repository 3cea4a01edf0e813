"""The contract of ports.Memo, over every adapter."""

from pathlib import Path

import pytest

from lockage.adapters.memo_local import LocalMemo
from lockage.adapters.memory import MemoryMemo
from lockage.ports import Memo


@pytest.fixture(params=["local", "memory"])
def memo(request: pytest.FixtureRequest, tmp_path: Path) -> Memo:
    return LocalMemo(tmp_path) if request.param == "local" else MemoryMemo()


def test_gives_back_the_value(memo: Memo) -> None:
    assert memo.get("plan", "key") is None
    memo.put("plan", "key", b"value")
    memo.put("plan", "", b"")
    memo.put("run", "key", b"other")
    assert memo.get("plan", "key") == b"value"
    assert memo.get("plan", "") == b""
    assert memo.get("run", "key") == b"other"
    memo.put("plan", "key", b"later")
    assert memo.get("plan", "key") == b"later"


def test_what_was_asked_for_in_vain_is_there_once_it_was_put(memo: Memo) -> None:
    assert memo.get("kind", "one") is None
    assert memo.get("kind", "two") is None
    memo.put("kind", "one", b"value")
    assert memo.get("kind", "one") == b"value"
    assert memo.get("kind", "two") is None


def test_keys_may_be_any_text(memo: Memo) -> None:
    for key in ("../../etc", "a/b", "x" * 10_000, "ü\n\0"):
        memo.put("plan", key, key.encode())
        assert memo.get("plan", key) == key.encode()


def test_a_damaged_value_is_absent(tmp_path: Path) -> None:
    memo = LocalMemo(tmp_path)
    memo.put("plan", "key", b"value")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert memo.get("plan", "key") is None
        path.write_bytes(good[:at])
        assert memo.get("plan", "key") is None


def test_a_value_that_cannot_be_kept_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    memo = LocalMemo(tmp_path / "file")
    memo.put("plan", "key", b"value")
    assert memo.get("plan", "key") is None


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "1-killed").mkdir(parents=True)
    (tmp_path / "tmp" / "1-killed" / "0").write_bytes(b"half")
    memo = LocalMemo(tmp_path)
    memo.put("plan", "key", b"value")
    assert not (tmp_path / "tmp" / "1-killed").exists()
    assert memo.get("plan", "key") == b"value"
