"""A store on a file system that is really full: a small tmpfs in a user namespace of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_ledger as t
from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memo_local import LocalMemo
from lockage.base.digest import BlobRef
from lockage.ports import StoreUnwritable
from lockage.record.result import ActionResult
home = Path(sys.argv[1])
blobs, memo = LocalBlobs(home / "blobs"), LocalMemo(home / "memo")
cache, ledger = LocalActionCache(home / "actions"), t.SqlLedger(home / "ledger.db")
small = blobs.put(b"small")
cache.put(small, ActionResult(exit_code=0, outputs=small, log=small))
t.commit(ledger, t.prepared(ledger, t.policy(1)))
before = ledger.head()

def refused(work):
    try:
        work()
    except StoreUnwritable as error:
        assert "full" in error.message and str(home) in error.message, error.message
    else:
        raise SystemExit("was written")

refused(lambda: blobs.put(bytes(8 << 20)))
refused(lambda: blobs.put_many(bytes([n]) * 100_000 for n in range(80)))
(home / "ballast").write_bytes(b"")
with (home / "ballast").open("r+b", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(512))
    except OSError:
        pass
refused(lambda: blobs.put(b"x" * 10_000))
refused(lambda: cache.put(BlobRef.of(b"other"), ActionResult(exit_code=0, outputs=small, log=small)))
memo.put("kind", "key", bytes(10_000))
assert memo.get("kind", "key") is None
refused(lambda: t.commit(ledger, t.prepared(ledger, *map(t.policy, range(3000)))))
assert ledger.head() == before and t.whole(ledger) == 2
assert blobs.get(small) == b"small" and cache.get(small).outputs == small
(home / "ballast").unlink()
t.commit(ledger, t.prepared(ledger, t.policy(3)))
assert t.whole(ledger) == 3
assert [path for path in (home / "blobs" / "tmp").glob("*/*")] == []
"""


@pytest.mark.sandbox
def test_a_full_disk_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" -c "$4" "$1" "$3"'
    contracts = str(Path(__file__).parents[1] / "contracts")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", script, "sh", str(tmp_path), sys.executable, contracts, CODE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
