"""The store between builds, damaged, shared and swept: the real program, with the real sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

sandboxed = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.first]
environment = "build"
inputs = ["README.md"]
run = "mkdir one && cat README.md > one/text && head -c 6000000 /dev/zero > one/large"
outputs = ["one"]
[step.second]
environment = "build"
inputs = ["second.txt"]
needs = ["first"]
run = "mkdir two && cat second.txt one/text > two/all.txt"
outputs = ["two"]
artifacts = ["two/*.txt"]
"""
UNSTABLE = """
[step.unstable]
environment = "build"
inputs = []
run = "mkdir out && head -c 8 /dev/urandom > out/noise.bin && echo same > out/same.txt"
outputs = ["out"]
artifacts = ["out/*"]
"""


@pytest.fixture
def chained(shop: Store) -> Store:
    """Two steps, the second with the first's outputs, built."""
    shop.recipe(STEPS, **{"second.txt": "2\n"})
    shop("build", expect=0)
    return shop


def executed(built: dict[str, Any]) -> list[str]:
    return [step["step"] for step in built["steps"] if not step["cached"]]


def digest_of(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()


def blob_of(store: Store, content: bytes) -> Path:
    return store.blob(digest_of(content))


def flip(store: Store, digest: str, *, hidden: bool) -> None:
    """Change a byte of a blob in every file that has it, which no copy shares; ``hidden``: in place, with its time of change put back."""
    places = store.places(digest)
    assert places
    for path, _ in places:
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    if hidden:
        store("build", expect=0)  # its witness is of these files
    for path, at in places:
        before = path.stat()
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
        if hidden:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        path.chmod(0o444)


class TestDamage:
    pytestmark = sandboxed

    def test_a_change_that_nothing_tells_is_found_by_a_recheck(self, chained: Store) -> None:
        flip(chained, digest_of((chained.work / "README.md").read_bytes()), hidden=True)
        assert executed(chained("build", "--json", expect=0).json) == []
        done = chained("build", "--recheck", expect=0)
        assert "damaged" in done.stderr
        assert chained("store", "check", expect=0).code == 0
        assert executed(chained("build", "--recheck", "--json", expect=0).json) == []

    @pytest.mark.parametrize("how", ["flipped", "truncated", "deleted"])
    def test_what_a_step_gave_is_made_again_if_it_is_not_whole(self, chained: Store, how: str) -> None:
        path = blob_of(chained, bytes(6_000_000))
        if how == "flipped":
            flip(chained, digest_of(bytes(6_000_000)), hidden=False)
        elif how == "deleted":
            path.unlink()
        else:
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data[:-1])
        built = chained("build", "--json", expect=0).json
        assert executed(built) == ["first"]
        assert [lost["what"] for lost in built["lost"]] == ["what step first gave"]
        assert path.read_bytes() == bytes(6_000_000)
        assert executed(chained("build", "--json", expect=0).json) == []
        chained("store", "check", expect=0)

    def test_an_input_that_is_found_damaged_when_it_is_put_into_a_sandbox_is_made_again(self, chained: Store) -> None:
        flip(chained, digest_of(bytes(6_000_000)), hidden=True)
        (chained.work / "second.txt").write_text("3\n")
        chained.commit()
        built = chained("build", "--json", expect=0).json
        assert sorted(executed(built)) == ["first", "second"]
        assert built["lost"]
        chained("store", "check", expect=0)

    def test_a_damaged_file_of_the_source_is_read_again(self, chained: Store) -> None:
        (chained.work / "second.txt").write_text("4\n")
        chained.commit()
        chained("explain", "second", expect=0)  # the source is kept, and nothing was built of it
        path = blob_of(chained, b"4\n")
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(b"5" + data[1:])
        built = chained("build", "--json", expect=0).json
        assert executed(built) == ["second"]
        assert (chained.work / "dist" / "all.txt").read_text().startswith("4\n")


class TestReexecution:
    pytestmark = sandboxed

    def test_what_is_unchanged_gives_the_same_again(self, chained: Store) -> None:
        built = chained("build", "--reexecute", "100%", "--json", expect=0).json
        assert [(step["step"], step["grade"]) for step in built["reexecuted"]["steps"]] == [("first", "identical"), ("second", "identical")]
        seed = built["reexecuted"]["seed"]
        one = chained("build", "--reexecute", "1", "--seed", seed, "--json", expect=0).json["reexecuted"]
        assert one == chained("build", "--reexecute", "1", "--seed", seed, "--json", expect=0).json["reexecuted"]

    def test_another_result_is_an_error_that_says_what_differs(self, shop: Store) -> None:
        shop.recipe(UNSTABLE)
        shop("build", expect=0)
        before = (shop.work / "dist" / "noise.bin").read_bytes()
        error = shop("build", "--reexecute", "1", "--json", expect=4).error
        assert error["code"] == "reexecution-differs"
        assert error["details"]["steps"] == ["unstable"]
        _, difference = error["details"]["differences"]
        assert difference.startswith("  out/noise.bin: kept ")
        one, two = difference.split()[2].rstrip(","), difference.split()[4]
        shop("diff", one, two, expect=4)
        assert executed(shop("build", "--json", expect=0).json) == []
        assert (shop.work / "dist" / "noise.bin").read_bytes() == before

    @pytest.mark.parametrize("text", ["ten", "101%", "-1", "5 %", ""])
    def test_what_is_no_share_is_refused(self, cli: Store, text: str) -> None:
        assert cli("build", f"--reexecute={text}").code == 2


class TestSharing:
    pytestmark = sandboxed

    def test_two_builds_of_one_plan_at_once(self, shop: Store) -> None:
        shop.recipe(STEPS, **{"second.txt": "2\n"})
        builds = [shop.start("build", "--json", "--out", f"out{number}") for number in range(2)]
        ended = [build.communicate(timeout=600) for build in builds]
        assert [build.returncode for build in builds] == [0, 0], ended
        texts = [(shop.work / f"out{number}" / "all.txt").read_bytes() for number in range(2)]
        assert texts[0] == texts[1]
        shop("store", "check", expect=0)

    def test_builds_go_on_while_garbage_is_collected_again_and_again(self, chained: Store) -> None:
        (chained.home / "roots").unlink()  # a link to those that other tests share: what is swept here is to be our own
        collecting = [sys.executable, "-c", LOOP, str(chained.work / "stop"), *chained.command("gc", "--keep", "0d", "--keep-runs", "1")]
        loop = subprocess.Popen(collecting, env=chained.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for number in range(4):
                (chained.work / "second.txt").write_text(f"{number % 2}\n")
                chained.commit()
                time.sleep(1.1)  # what is younger than a second is not swept
                assert chained("build", "--json").code == 0
                assert executed(chained("build", "--json", expect=0).json) == []
        finally:
            (chained.work / "stop").write_bytes(b"")
            out, err = loop.communicate(timeout=300)
        assert loop.returncode == 0, err
        assert int(out) > 3
        assert executed(chained("build", "--json", expect=0).json) == []
        time.sleep(1.1)
        chained("gc", "--keep", "0d", "--keep-runs", "1", expect=0)
        assert chained("gc", "--keep", "0d", "--keep-runs", "1", "--dry-run", "--json", expect=0).json["gone"]["blobs"]["count"] == 0
        assert chained("store", "check", "--json", expect=0).json["stale_results"] == 0
        assert executed(chained("build", "--json", expect=0).json) == []


LOOP = """
import subprocess, sys
from pathlib import Path
count = 0
while not Path(sys.argv[1]).exists():
    subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
    count += 1
print(count)
"""

FULL = """
import sys
from pathlib import Path
from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memo_local import LocalMemo
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.ports import StoreUnwritable
from lockage.record.result import ActionResult
home = Path(sys.argv[1])
needed, *others = LocalBlobs(home / "blobs").put_many(bytes([n]) * 100_000 for n in range(20))
cache, memo = LocalActionCache(home / "actions"), LocalMemo(home / "memo")
cache.put(needed, ActionResult(exit_code=0, outputs=needed, log=needed))
memo.put("kind", "key", b"value")
with (home / "ballast").open("wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(512))
    except OSError:
        pass
names = 0
try:
    while True:
        (home / f"name-{names}").touch()  # nor is there room for another name
        names += 1
except OSError:
    pass
later = Instant(1 << 33)
reader = LocalBlobs(home / "blobs")
assert reader.has(others[0])
try:
    LocalBlobs(home / "blobs").sweep(lambda: {needed.digest}, later)
except StoreUnwritable as error:
    assert "full" in error.message, error.message
else:
    raise SystemExit("was swept under a reader")
assert reader.get(others[0])
reader._lease.let_go()
found = LocalBlobs(home / "blobs").sweep(lambda: {needed.digest}, later)
assert found.gone.count == 19, found
assert LocalBlobs(home / "blobs").get(needed)
assert len(cache.sweep(set(), later)) == 1 and memo.sweep(later).count == 1
LocalBlobs(home / "blobs").put(b"there is room again")
"""

READ_ONLY = """
import sys
from io import BytesIO
from pathlib import Path
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.instant import Instant
from lockage.ports import StoreUnwritable
blobs = LocalBlobs(Path(sys.argv[1]) / "blobs")
try:
    blobs.sweep(lambda: set(), Instant(1 << 33))
except StoreUnwritable as error:
    assert "read-only" in error.message, error.message
else:
    raise SystemExit("was swept")
known = [b"1", bytes(3 << 20)]
for first in known:
    assert blobs.put_streams([lambda data=data: BytesIO(data) for data in (first, *known)])
try:
    blobs.put_streams([lambda: BytesIO(b"another")])
except StoreUnwritable as error:
    assert "read-only" in error.message, error.message
else:
    raise SystemExit("was written")
"""


def _in_small_file_system(folder: Path, script: str, *codes: str) -> None:
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", script, "sh", str(folder), sys.executable, *codes], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.sandbox
def test_a_full_disk_is_swept_though_nothing_can_be_moved_on_it(tmp_path: Path) -> None:
    _in_small_file_system(tmp_path, 'mount -t tmpfs -o size=4m,nr_inodes=700 tmpfs "$1" && exec "$2" -c "$3" "$1"', FULL)


@pytest.mark.sandbox
def test_a_store_that_cannot_be_written_is_left_as_it_is_and_says_so(tmp_path: Path) -> None:
    begin = (
        "import sys, pathlib, lockage.adapters.blobs_local as made; "
        "made.LocalBlobs(pathlib.Path(sys.argv[1]) / 'blobs').put_many([b'1', bytes(3 << 20)])"
    )
    script = 'mount -t tmpfs tmpfs "$1" && "$2" -c "$3" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$4" "$1"'
    _in_small_file_system(tmp_path, script, begin, READ_ONLY)
