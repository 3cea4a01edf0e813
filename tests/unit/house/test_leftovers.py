"""What tests/conftest.py promises: of a session stays what failed tests are looked into for, however it ended."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
TESTS = """
import os, signal, tempfile
from pathlib import Path
import pytest

@pytest.fixture(scope="module")
def shared(module_path):
    (module_path / "file").touch()

def test_passes(tmp_path, shared):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "folder").chmod(0o500)

def test_other(tmp_path, tmp_path_factory):
    (tmp_path_factory.mktemp("made") / "file").touch()
    match os.environ.get("HOW"):
        case "fails":
            raise AssertionError
        case "leaves":
            tempfile.mkdtemp(prefix="stray-")
        case "interrupts":
            os.kill(int(os.environ["LEADER"]), getattr(signal, os.environ["BY"]))
            signal.pause()

def test_shared_fails(shared):
    assert os.environ.get("HOW") != "fails in a module"
"""
#: How it went, the exit code, and the folders that stay.
ENDS = {
    "well": (0, set()),
    "fails": (1, {"test_other0"}),
    "fails in a module": (1, {"test_probe0"}),
    "leaves": (1, set()),
    "interrupts": (2, set()),
}


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ENDS)
def test_only_folders_of_failed_tests_stay(how: str, workers: str, tmp_path: Path) -> None:
    tree, temporary = tmp_path / "tree", tmp_path / "temporary"
    (tree / "tests").mkdir(parents=True)
    temporary.mkdir()
    shutil.copy(TOP / "pyproject.toml", tree)
    shutil.copy(TOP / "tests" / "conftest.py", tree / "tests")
    (tree / "tests" / "test_probe.py").write_text(TESTS)
    ours = ("PYTEST_", "LOCKAGE_", "TMPDIR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider"]
    running = subprocess.Popen(
        ["sh", "-c", 'LEADER=$$ exec "$@"', "sh", *command],
        cwd=tree,
        env={**environment, "TMPDIR": str(temporary), "HOW": how, "BY": "SIGINT" if workers == "0" else "SIGTERM"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # who starts tests in the background ignores it
    )
    output, _ = running.communicate(timeout=120)
    code, stay = ENDS[how]
    assert running.returncode == code, output
    assert ("left behind in the temporary folder: stray-" in output) is (how == "leaves")
    found = [path for path in temporary.rglob("*") if path.is_dir() and not path.is_symlink()]
    assert {path.name for path in found if not path.name.startswith(("pytest-", "popen-"))} == stay
    assert stay or not found
