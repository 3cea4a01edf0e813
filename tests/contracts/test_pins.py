"""The contract of ports.Pins, over every adapter; and what only files can suffer."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lockage.adapters.memory import MemoryPins
from lockage.adapters.pins_local import LocalPins
from lockage.ports import KeyUnusable, Pins


@pytest.fixture(params=["local", "memory"])
def pins(request: pytest.FixtureRequest, tmp_path: Path) -> Pins:
    return LocalPins(tmp_path / "config" / "trust") if request.param == "local" else MemoryPins()


def test_what_was_pinned_is_given_back_byte_for_byte(pins: Pins) -> None:
    assert pins.trust_root("lockage.local/1") is None
    pins.pin("lockage.local/1", b"{ }\n")
    assert pins.trust_root("lockage.local/1") == b"{ }\n"
    pins.pin("lockage.local/1", b"a successor")
    assert pins.trust_root("lockage.local/1") == b"a successor"


def test_no_ledger_is_trusted_by_the_pin_of_another(pins: Pins) -> None:
    origins = ["a/b", "a_b", "a//b", "a__b", "a=5f=b", "a.b", "../a/b", "", ".", "..", "a b", "a\nb", "a\0b", "ä", "a\ud800b"]
    for number, origin in enumerate(origins):
        assert pins.trust_root(origin) is None, origin
        pins.pin(origin, b"%d" % number)
    assert [pins.trust_root(origin) for origin in origins] == [b"%d" % number for number in range(len(origins))]


# What only files have


def test_pins_are_this_users_alone_and_stay_in_their_folder(tmp_path: Path) -> None:
    LocalPins(tmp_path / "trust").pin("../../evil/origin", b"root")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parent == tmp_path / "trust"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_full_disk_leaves_the_pin_as_it_was(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from lockage.adapters.pins_local import LocalPins
from lockage.ports import KeyUnusable
pins = LocalPins(Path(sys.argv[1]))
pins.pin("o", b"before")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    pins.pin("o", b"x" * 1000)
except KeyUnusable as error:
    assert sys.argv[1] in error.message
else:
    raise SystemExit("was pinned")
assert pins.trust_root("o") == b"before"
assert len(list(Path(sys.argv[1]).iterdir())) == 1
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "trust")], check=True)


def test_what_a_killed_process_left_of_another_origin_is_removed(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from lockage import durable
from lockage.adapters.pins_local import LocalPins
durable.reached = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == "before-rename" else None
LocalPins(Path(sys.argv[1])).pin("one", b"root")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    LocalPins(tmp_path).pin("two", b"root")
    assert [path.name for path in tmp_path.iterdir()] == ["two.json"]


def test_what_cannot_be_read_or_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    pins = LocalPins(tmp_path / "file" / "trust")
    with pytest.raises(KeyUnusable, match="file"):
        pins.pin("o", b"x")
    with pytest.raises(KeyUnusable, match="cannot be read"):
        pins.trust_root("o")
    with pytest.raises(KeyUnusable, match="too long"):
        LocalPins(tmp_path).trust_root("x" * 300)
