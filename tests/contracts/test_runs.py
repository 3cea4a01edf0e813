"""The contract of ports.Runs, over every adapter; and what only records on a disk can suffer."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory import MemoryRuns
from lockage.adapters.runs_local import LocalRuns
from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName, Version
from lockage.ports import Runs, StoreUnwritable
from lockage.record.artifact import Artifact, Run, StepRun
from lockage.record.result import Usage
from lockage.record.source import CommitOrigin, Source

BLOB = BlobRef.of(b"x")
RUN = Run(
    project=ProjectName("shop"),
    source=Source(tree=BLOB, date=Instant(315532800), version=Version("1.0"), origin=CommitOrigin(commit="0" * 40)),
    recipe=Digest.of(b"recipe"),
    lock=Digest.of(b"lock"),
    started=Instant(1),
    finished=Instant(2),
    steps=(
        StepRun(
            step=StepName("build"), action=BLOB, exit_code=0, cached=True, outputs=BLOB, log=BLOB, usage=Usage(wall_ms=3), failure="ü: é"
        ),
    ),
    artifacts=(Artifact(name="a.whl", blob=BLOB, content_digest=BLOB.digest, step=StepName("build"), raw=BLOB),),
    host={"kernel": "6"},
)


@pytest.fixture(params=["local", "memory"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Runs:
    return LocalRuns(tmp_path / "store" / "runs") if request.param == "local" else MemoryRuns()


def test_a_record_has_a_digest_of_its_own(runs: Runs) -> None:
    first = runs.put(RUN, BLOB)
    second = runs.put(msgspec.structs.replace(RUN, finished=Instant(3)), BLOB)
    assert runs.digest(first) == runs.digest(first) != runs.digest(second)
    assert runs.digest("run-000009") is None
    assert runs.digest("../run-000001") is None


def test_the_newest_is_the_last(runs: Runs) -> None:
    assert runs.latest() is None
    assert runs.recent(3) == ()
    ids = [runs.put(msgspec.structs.replace(RUN, started=Instant(number)), BlobRef.of(b"%d" % number)) for number in range(12)]
    assert len(set(ids)) == 12
    assert runs.latest() == ids[-1]
    assert runs.recent(3) == tuple(reversed(ids))[:3]
    assert runs.recent(100) == tuple(reversed(ids))
    for number, run_id in enumerate(ids):
        assert runs.get(run_id) == (msgspec.structs.replace(RUN, started=Instant(number)), BlobRef.of(b"%d" % number))


@pytest.mark.parametrize("run_id", ["run-000002", "", "../../etc/passwd", "run-1", "x" * 5000, "nul\0", "run-000001.json"])
def test_an_id_that_was_not_given_is_nothing(runs: Runs, run_id: str) -> None:
    runs.put(RUN, BLOB)
    assert runs.get(run_id) is None


# What only a folder has


def test_who_put_a_record_reads_what_others_read(tmp_path: Path) -> None:
    runs = LocalRuns(tmp_path)
    earlier, run_id = runs.put(msgspec.structs.replace(RUN, started=Instant(0)), BLOB), runs.put(RUN, BLOB)
    for known in (earlier, run_id):
        assert runs.get(known) == LocalRuns(tmp_path).get(known)
    (tmp_path / f"{run_id}.json").write_bytes((tmp_path / f"{earlier}.json").read_bytes())
    assert runs.get(run_id) == runs.get(earlier)


def test_a_damaged_record_is_nothing_and_its_number_is_not_given_again(tmp_path: Path) -> None:
    runs = LocalRuns(tmp_path)
    run_id = runs.put(RUN, BLOB)
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(file.read_bytes()[:-20])
    assert runs.get(run_id) is None
    assert runs.put(RUN, BLOB) != run_id


def test_files_of_others_do_not_matter(tmp_path: Path) -> None:
    for name in ("run-notes.json", ".run-000009.json.1.partial", "README", "run-7.json"):
        (tmp_path / name).write_bytes(b"")
    runs = LocalRuns(tmp_path)
    assert runs.latest() is None
    assert runs.put(RUN, BLOB) == "run-000001"


def test_ids_go_on_beyond_six_digits(tmp_path: Path) -> None:
    (tmp_path / "run-999999.json").write_bytes(b"{}")
    runs = LocalRuns(tmp_path)
    assert runs.put(RUN, BLOB) == "run-1000000" == runs.latest()
    assert runs.put(RUN, BLOB) == "run-1000001"


PUT = """
import sys
from pathlib import Path
from lockage.adapters.runs_local import LocalRuns
from lockage.base.canonical import decode
from lockage.base.digest import BlobRef
from lockage.record.artifact import Run
run = decode(sys.stdin.buffer.read(), Run)
print(*(LocalRuns(Path(sys.argv[1])).put(run, BlobRef.of(b"")) for _ in range(20)))
"""


def test_two_writers_get_ids_of_their_own(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", PUT, str(tmp_path / "runs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(canonical_of(RUN))
        child.stdin.close()
    ids = [run_id for child in children if child.stdout is not None for run_id in child.stdout.read().split()]
    for child in children:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait() == 0
    assert len(ids) == len(set(ids)) == 40
    assert all(LocalRuns(tmp_path / "runs").get(run_id.decode()) is not None for run_id in ids)


def test_a_full_disk_leaves_no_half_a_record(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from lockage.adapters.runs_local import LocalRuns
from lockage.base.canonical import decode
from lockage.base.digest import BlobRef
from lockage.ports import StoreUnwritable
from lockage.record.artifact import Run
run = decode(sys.stdin.buffer.read(), Run)
resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
try:
    LocalRuns(Path(sys.argv[1])).put(run, BlobRef.of(b""))
except StoreUnwritable as error:
    assert sys.argv[1] in error.message
else:
    raise SystemExit("was put")
assert list(Path(sys.argv[1]).iterdir()) == []
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "runs")], input=canonical_of(RUN), check=True)


def test_runs_below_a_file_are_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match="not a folder"):
        LocalRuns(tmp_path / "file" / "runs").put(RUN, BLOB)


def test_a_record_is_removed_and_its_id_is_not_given_again(runs: Runs) -> None:
    ids = [runs.put(RUN, BLOB) for _ in range(3)]
    would = runs.remove(ids[0], dry=True)
    assert runs.get(ids[0]) is not None
    assert runs.remove(ids[0]) == would > 0
    assert runs.remove(ids[0]) == 0
    assert runs.ids() == tuple(ids[1:])
    assert runs.put(RUN, BLOB) == "run-000004"
