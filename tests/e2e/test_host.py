"""Building on the host as it is, with the real program: no namespace is needed, nothing outlives a step, and nothing is promoted."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.sandbox_host.supervise import descendants
from lockage.echo.echo import ECHO_MEMO

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Store

#: A build backend in a few lines: a wheel with the times that SOURCE_DATE_EPOCH says.
BACKEND = """\
import os, time, zipfile
date = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
about = "shop-1.2.0.dist-info/"
files = {
    "shop.py": open("shop.py").read(),
    about + "METADATA": "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.2.0\\n",
    about + "WHEEL": "Wheel-Version: 1.0\\nGenerator: backend\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
files[about + "RECORD"] = "".join(f"{name},,\\n" for name in [*files, about + "RECORD"])
os.mkdir("dist")
with zipfile.ZipFile("dist/shop-1.2.0-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(zipfile.ZipInfo(name, date), text)
"""
HEAD = '[project]\nname = "shop"\nversion = "1.2.0"\n[environment.build]\nhost = "unpinned"\n'
WHEEL = '[step.wheel]\nrun = "python3 backend.py"\noutputs = ["dist"]\nartifacts = ["dist/*.whl"]\n'


@pytest.fixture
def project(cli: Store) -> Callable[..., Store]:
    """A project whose environment is the host, locked and committed."""

    def make(steps: str = WHEEL, *, path: Path | None = None) -> Store:
        cli.work.mkdir(exist_ok=True)
        if not (cli.work / ".git").exists():
            cli.git("init", "-q")
        head = HEAD if path is None else f'{HEAD}path = ["{path}"]\n'
        for name, content in (("lockage.toml", head + steps), ("backend.py", BACKEND), ("shop.py", "PRICE = 3\n")):
            (cli.work / name).write_text(content)
        cli.commit()
        cli("lock", expect=0)
        cli.commit("lock")
        # No program that makes sandboxes is needed, and none is asked for.
        return type(cli)(cli.home, cli.keys, cli.work, {**cli.settings, "LOCKAGE_BWRAP": "/nonexistent/bwrap"})

    return make


def wheel(store: Store) -> bytes:
    return (store.work / "dist/shop-1.2.0-py3-none-any.whl").read_bytes()


def test_a_wheel_is_the_same_twice_and_taken_from_the_cache_the_third_time(project: Callable[..., Store]) -> None:
    store = project()
    first = store("build", "--json", expect=0)
    one = wheel(store)
    again = store("build", "--reexecute", "100%", expect=0)
    assert "all with the same result" in again.stdout
    third = store("build", "--json", expect=0)
    assert wheel(store) == one
    elsewhere = type(store)(store.home.with_name("another"), store.keys, store.work, store.settings)
    assert elsewhere("build", "--json", expect=0).json["steps"][0]["cached"] is False
    assert wheel(store) == one, "another store, and so another folder, gives the same"
    assert [step["cached"] for step in first.json["steps"] + third.json["steps"]] == [False, True]
    assert first.json["unpinned_hosts"].keys() == {"build"}
    assert "WARNING: environment build is this machine as it is" in store("build", expect=0).stderr
    assert not [place for place in (store.home / "cache/host").iterdir() if place.is_dir()], "a step's folders go with it"


def test_a_changed_program_builds_again_and_is_named(project: Callable[..., Store], tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    make = tools / "make"
    make.write_text("#!/bin/sh\necho 4.3\n")
    make.chmod(0o755)
    store = project('[step.wheel]\nrun = "make > out"\noutputs = ["out"]\nartifacts = ["out"]\n', path=tools)
    store("build", expect=0)
    for _ in range(2):
        assert "nothing to do" in store("build", expect=0).stdout
    assert not list((store.home / "memo").glob(f"{ECHO_MEMO}*")), "an echo would not look at the machine"
    make.write_text("#!/bin/sh\necho 4.4\n")
    explained = store("explain", "wheel", "--json", expect=0).json
    assert [(change["kind"], change["name"]) for change in explained["changes"]] == [("host", "tool make")]
    assert [step["cached"] for step in store("build", "--json", expect=0).json["steps"]] == [False]
    assert (store.work / "dist/out").read_text() == "4.4\n"
    compared = store("env", "diff", "run-000001", "run-000002", "--json", expect=3).json["compared"][0]["difference"]["fields"]
    assert [field["field"] for field in compared] == ["root", "host: tool make"]


def test_no_channel_of_a_new_store_takes_it_and_everything_says_why(project: Callable[..., Store]) -> None:
    store = project()
    store("release", expect=0)
    store("test", expect=0)
    refused = store("promote", "shop", "--to", "dev", "--json", expect=5).error
    assert "`host-environment` is refused" in " ".join(refused["details"]["reasons"])
    assert "built on an unpinned host" in store("status", expect=0).stdout
    assert "UNPINNED HOST" in store("show", "shop", expect=0).stdout
    assert "host-environment" in store("show", "run-000001", expect=0).stdout
    assert "UNPINNED HOST" in store("lineage", "shop", expect=0).stdout
    (environment,) = store("env", "show", "--json", expect=0).json["environments"].values()
    assert (environment["os"], environment["items"], environment["release_date"]) == ("unpinned host", [], None)
    assert environment["host"]["tools"]
    assert store("verify", "--json", expect=2).error["code"] == "host-has-no-root"


def test_an_older_policy_does_not_ask_and_the_promotion_says_so(project: Callable[..., Store]) -> None:
    store = project()
    store("release", expect=0)
    store("test", expect=0)
    older = store.work.with_name("older.toml")  # as a store began before there was the gate
    older.write_text('channel = "dev"\n[[gates]]\ngate = "source-clean"\n[[gates]]\ngate = "tests"\n')
    store("policy", "apply", older, expect=0)
    said = store("promote", "shop", "--to", "dev", expect=0).stdout
    assert "UNPINNED HOST: environment build was the machine itself, and the policy of dev does not refuse that" in said
    assert "host-environment" in " ".join(store("promote", "shop", "--to", "staging", "--json", expect=5).error["details"]["reasons"])


def test_a_step_has_its_own_folders_and_only_declared_variables(project: Callable[..., Store]) -> None:
    store = project('[step.see]\nrun = "env | sort > out; umask >> out; ls -la --time-style=+%s shop.py >> out"\noutputs = ["out"]\n'
                    'artifacts = ["out"]\nvariables = { LEVEL = "3" }\n')  # fmt: skip
    store("build", expect=0, SECRET="do not tell", TZ="Asia/Kathmandu")
    seen = (store.work / "dist/out").read_text()
    place = store.home / "cache/host/1"
    for line in ("LEVEL=3", "TZ=UTC", f"HOME={place}/home", f"TMPDIR={place}/tmp", f"PWD={place}/build", "0022"):
        assert line in seen.splitlines()
    assert "SECRET" not in seen
    assert "315532800 shop.py" in seen, "inputs have the time of the action"


LEAVES = 'setsid sh -c "sleep 611 & sleep 612" & (sleep 613 &); '


def left() -> list[str]:
    """The command lines of sleeping processes that a step started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sleep") and words[1].startswith(b"61"):
            found.append(words[1].decode())
    return found


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("sleep 614", "timeout"),
        ("python3 -c 'import time; x = bytearray(300 << 20); time.sleep(60)'", "memory-limit"),
        ("head -c 200M /dev/zero > big; sleep 60", "disk-limit"),
        ("for i in $(seq 80); do sleep 615 & done; sleep 60", "processes-limit"),
        ("exit 3", "exit-code"),
        ("kill -9 $PPID; sleep 60", "killed"),
    ],
)
def test_a_step_that_does_not_end_well_leaves_no_process(project: Callable[..., Store], more: str, reason: str) -> None:
    limits = f'timeout = "{"2 s" if reason == "timeout" else "50 s"}"\nmemory = "150 MiB"\ndisk = "100 MiB"\nprocesses = 60\n'
    store = project(f'[step.bad]\nrun = {json.dumps(LEAVES + more)}\noutputs = ["out"]\n{limits}')
    assert store("build", "--json", expect=9).error["details"]["reason"] == reason
    assert left() == []
    assert not [place for place in (store.home / "cache/host").iterdir() if place.is_dir()]


def test_a_step_that_ends_well_leaves_no_process(project: Callable[..., Store]) -> None:
    store = project(f'[step.good]\nrun = {json.dumps(LEAVES + "echo done > out")}\noutputs = ["out"]\nartifacts = ["out"]\n')
    store("build", expect=0)
    assert (store.work / "dist/out").read_text() == "done\n"
    assert left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_when_lockage_is_ended(project: Callable[..., Store], number: signal.Signals) -> None:
    store = project(f'[step.slow]\nrun = {json.dumps(LEAVES + "sleep 614")}\noutputs = ["out"]\n')
    process = store.start("build")
    until = time.monotonic() + 60
    while len(left()) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(left()) == 4
    assert descendants(process.pid)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    while left() and time.monotonic() < until:  # after SIGKILL the supervisor hears of it by itself
        time.sleep(0.05)
    assert left() == []


def test_a_program_that_is_not_there_is_named(project: Callable[..., Store]) -> None:
    store = project('[step.bad]\nrun = ["nonesuch", "x"]\noutputs = ["out"]\n')
    error = store("build", "--json", expect=9).error["details"]
    assert error["last_lines"] == ["cannot run nonesuch: No such file or directory"]
    assert "shell" not in error, "there is no sandbox that could be entered"
