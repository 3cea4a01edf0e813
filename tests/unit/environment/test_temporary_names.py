"""The module that a root gets makes `tempfile` draw the same names in every process, and passes over names that are taken."""

import os
import subprocess
import sys
from pathlib import Path

from lockage.environment.root.rules import PYTHON_FILES

_DRAW = "import tempfile; print(tempfile.mkdtemp()); print(tempfile.mkstemp()[1]); print(tempfile.mkdtemp(prefix='x'))"


def draw(site: Path, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    code = f"import site; site.addsitedir({str(site)!r}); {_DRAW}"
    environment = {"TMPDIR": str(folder), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-E", "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [Path(line).name for line in done.stdout.splitlines()]


def test_names_are_the_same_in_every_process_and_never_taken_twice(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for path, content in PYTHON_FILES.items():
        (site / Path(path).name).write_text(content)
    first = draw(site, tmp_path / "a")
    assert draw(site, tmp_path / "b") == first
    assert len(set(first)) == 3
    again = draw(site, tmp_path / "a")
    assert not set(again) & set(first)
