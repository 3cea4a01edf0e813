"""What all tests share: folders that are gone when they are no longer needed, and the sample world of signed evidence.

A test's folder is removed with the test, a module's with the module's last test, and only those of failed tests stay, up to the next
run. Whatever a test or the program makes with ``tempfile`` comes into a folder of the session's own, and if anything is left in it at
the end, the session has failed.
"""

import gc
import importlib.util
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

# A machine that others use as well is slow now and then; how fast things are is what benchmarks measure.
settings.register_profile("lockage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("lockage"), max_examples=25)
settings.load_profile("quick" if os.environ.get("LOCKAGE_TEST_PROFILE") == "quick" else "lockage")

SAMPLES = Path(__file__).parent / "golden" / "evidence" / "samples.py"

_MODULE_FOLDER = pytest.StashKey[Path]()
_TEMPORARY = pytest.StashKey[list[Path]]()
#: Names a folder in memory, where there is one.
MEMORY = "LOCKAGE_TEST_MEMORY"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Pytest's, which cannot remove a folder that its owner may not write."""
    yield tmp_path
    if not _mark(tmp_path).exists():
        _remove(tmp_path)


@pytest.fixture(scope="module")
def module_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the tests of a module share."""
    folder = tmp_path_factory.mktemp(re.sub(r"\W", "_", request.path.stem)[:30])
    request.node.stash[_MODULE_FOLDER] = folder
    yield folder
    if not _mark(folder).exists():
        _remove(folder)


def _mark(folder: Path) -> Path:
    """The file that says that a folder is one of a failed test; all processes of a session see it, also if the test's own has died."""
    return folder.with_name(f"{folder.name}.failed")


def _remove(folder: Path) -> None:
    """Remove a folder and all in it; files keep their modes, as other folders may have them by hard links."""
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.lexists(folder):
        return
    folder.chmod(0o700)
    for top, names, _ in os.walk(folder):
        for path in (Path(top, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


#: An ordinary user's process may have 1,024 descriptors open.
_MANY_OPEN = 200


def pytest_runtest_teardown() -> None:
    """Many commands are run in this one process: what they held open goes with them once it is looked for."""
    with suppress(OSError):
        if len(os.listdir("/proc/self/fd")) > _MANY_OPEN:  # noqa: PTH208 (a count)
            gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        module = item.getparent(pytest.Module)
        shared = module.stash.get(_MODULE_FOLDER, None) if module and "module_path" in getattr(item, "fixturenames", ()) else None
        for folder in (getattr(item, "funcargs", {}).get("tmp_path"), shared):
            if folder is not None:
                _mark(folder).touch()
    return report


def _leads(config: pytest.Config) -> bool:
    """Whether this is the session itself, and not one of its workers."""
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if _leads(config):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # tests' folders are not among what is left
        folder = Path(tempfile.mkdtemp(prefix="lockage-tests-"))
        folder.chmod(0o1777)  # some tests run as several users
        config.stash[_TEMPORARY] = [folder]
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        if os.access(shared := "/dev/shm", os.W_OK):
            os.environ[MEMORY] = tempfile.mkdtemp(prefix="lockage-tests-", dir=shared)
            config.stash[_TEMPORARY].append(Path(os.environ[MEMORY]))
        if config.getoption("numprocesses", None):  # then nothing is forked here that would take this over
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # who cancels a job ends the session as Ctrl-C does


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in config.stash.get(_TEMPORARY, []):
        _remove(folder)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    try:
        return (yield)  # upon which no worker runs any more
    finally:
        if _leads(session.config):
            _tidy(session.config)
            _remove_roots_of_the_dead()
            left = sorted(path.name for folder in session.config.stash[_TEMPORARY] for path in folder.iterdir())
            if left and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
                print(f"\nleft behind in the temporary folder: {', '.join(left)}")


def _tidy(config: pytest.Config) -> None:
    """Remove the folders of tests that were under way when the session was ended, or a worker."""
    base: Path | None = getattr(config, "_tmp_path_factory")._basetemp  # noqa: B009 (pytest has no public name for it)
    if base is None:
        return
    workers = [path for path in base.glob("popen-gw*") if path.is_dir()]
    for place in (*workers, *([base] if base.is_dir() else [])):
        for path in place.iterdir():
            if path.is_symlink():
                if not path.exists():
                    path.unlink()
            elif path.is_dir() and path not in workers and not _mark(path).exists():
                _remove(path)
        with suppress(OSError):  # a failed test's folder is there
            place.rmdir()
    with suppress(OSError):  # another session's folders are there as well, or those of one that has failed
        if (last := base.with_name("pytest-current")).is_symlink() and not last.exists():
            last.unlink()
        if base.parent.name.startswith("pytest-of-"):
            base.parent.rmdir()


def _remove_roots_of_the_dead() -> None:
    """What a verification that was killed left in memory; the next one would remove it, but there may be none."""
    for folder in Path("/dev/shm").glob("lockage-root-*"):
        owner = folder.name.split("-")[2]
        with suppress(FileNotFoundError):  # somebody else does the same
            if folder.stat().st_uid == os.getuid() and owner.isdecimal() and not Path("/proc", owner).exists():
                _remove(folder)


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    return _module("evidence_samples", SAMPLES)


@pytest.fixture(scope="session")
def loopback() -> ModuleType:
    """Servers that stand in for a company's (tests/loopback.py)."""
    return _module("loopback", Path(__file__).with_name("loopback.py"))


@pytest.fixture(scope="session")
def schemas() -> ModuleType:
    """A validator of JSON Schemas (tests/schemas.py)."""
    return _module("schemas", Path(__file__).with_name("schemas.py"))
