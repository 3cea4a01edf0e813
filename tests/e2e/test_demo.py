"""The demo as a stranger runs it: fresh clones of this checkout's commit, ordinary users without an account, worlds that differ."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 900.0

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


@dataclass(frozen=True)
class Stranger:
    """Somebody's clone, and how their shell is set. Where the tests run as root, it is another user's."""

    clone: Path
    uid: int
    umask: str
    settings: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        home = self.clone.parent / "home"
        kept = {
            name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name in ("PIP_CERT", "SSL_CERT_FILE")
        }
        environment = {**kept, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), **self.settings}
        shell = ["sh", "-c", f'umask {self.umask}; exec "$@"', "sh", *command]
        return subprocess.run(
            as_user(self.uid, shell),
            cwd=self.clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )


def as_user(uid: int, command: list[str]) -> list[str]:
    """Root becomes an ordinary user; an ordinary user stays who they are."""
    if os.getuid() != 0:
        return command
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]


def settle(folder: Path, uid: int, umask: str, settings: dict[str, str]) -> Stranger:
    folder.mkdir(parents=True)
    (folder / "home").mkdir()
    shell = f'umask {umask}; exec git clone -q --no-hardlinks "$1" "$2"'
    subprocess.run(["sh", "-c", shell, "sh", str(CHECKOUT), str(folder / "lockage")], check=True)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(folder)], check=True)
    return Stranger(folder / "lockage", uid, umask, settings)


@pytest.fixture(scope="module")
def town() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="lockage-demo-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def told(output: str) -> list[str]:
    """What a demo says of bytes: every digest line, abbreviated or whole."""
    return [line.strip() for line in output.splitlines() if re.match(r" *[0-9a-f]{12,64}  ", line)]


def test_two_strangers_get_the_same_bytes_and_a_second_time_is_quicker(town: Path) -> None:
    one = settle(town / "one", 54321, "022", {"TZ": "UTC", "LANG": "C.UTF-8"})
    other = settle(
        town / "another place" / "with a longer-path",
        54322,
        "077",
        {"TZ": "Asia/Kathmandu", "LANG": "C", "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "1", "CI": "true"},
    )
    outputs: dict[str, subprocess.CompletedProcess[str]] = {}
    threads = [
        threading.Thread(target=lambda name=name, who=who: outputs.update({name: who.run("./bin/demo")}))
        for name, who in (("one", one), ("other", other))
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = time.monotonic() - began
    for name in ("one", "other"):
        assert outputs[name].returncode == 0, outputs[name].stdout
    digests = told(outputs["one"].stdout)
    assert len(digests) >= 3 + 3 + 3 + 3 + 3 + 3, outputs["one"].stdout
    assert digests == told(outputs["other"].stdout)
    assert "different" not in outputs["one"].stdout

    began = time.monotonic()
    again = one.run("./bin/demo")
    assert again.returncode == 0, again.stdout
    assert told(again.stdout)[-3:] == digests[-3:]
    assert again.stdout.count("nothing to do, all steps unchanged") == 2
    assert time.monotonic() - began < first / 2


@pytest.mark.parametrize("source", ["directory", "changed worktree", "nothing"])
def test_what_can_never_be_promoted(town: Path, source: str) -> None:
    who = Stranger(town / "one" / "lockage", 54321, "022", {})
    assert who.clone.is_dir(), "made by the test above"
    place = town / "one" / source
    if source != "nothing":
        assert who.run("cp", "-r", "examples/shop", str(place)).returncode == 0
    if source == "changed worktree":
        identity = "-c user.name=a -c user.email=a@example.invalid"
        made = f'cd "$1" && rm lockage.toml && git init -q && git add -A && git {identity} commit -q -m a && echo >> README.md'
        assert who.run("sh", "-c", made, "sh", str(place)).returncode == 0
    done = who.run("./bin/demo", str(place))
    if source == "nothing":
        assert done.returncode == 2, done.stdout
        assert "no such file or directory" in done.stdout
        return
    assert done.returncode == 5, done.stdout
    assert "lockage verify" in done.stdout
    assert "$ lockage promote" not in done.stdout
    assert {"directory": "a plain directory", "changed worktree": "uncommitted changes: README.md"}[source] in done.stdout
    assert "never be promoted" in done.stdout
