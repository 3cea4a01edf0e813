"""Hands a pair to diffoscope, for those who want more than lockage tells: disassembly, fonts, PDF and many formats more."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.errors import ExitCode, Fault, Usage
from lockage.compare.side import FileSide

if TYPE_CHECKING:
    from lockage.compare.side import Side

__all__ = ["DiffoscopeMissing", "run_diffoscope"]


class DiffoscopeMissing(Usage):
    """`--diffoscope` was asked for, and there is no such program."""

    code = "diffoscope-missing"
    hint = "Install diffoscope (apt install diffoscope, or pip install diffoscope), or do without --diffoscope."


class DiffoscopeFailed(Fault):
    """diffoscope ended with an error of its own."""

    code = "diffoscope-failed"
    hint = "Read what it wrote above; without --diffoscope lockage compares by itself."


def run_diffoscope(a: Path | Side, b: Path | Side) -> int:
    """Its report on standard output; the exit code. What lies in a store is written into a folder of temporary files first.

    Raises :class:`DiffoscopeMissing` and :class:`DiffoscopeFailed`.
    """
    program = shutil.which("diffoscope")
    if program is None:
        raise DiffoscopeMissing("there is no diffoscope on this machine's PATH")
    with tempfile.TemporaryDirectory(prefix="lockage-diff-") as folder:
        places = [str(side) if isinstance(side, Path) else _written(side, Path(folder) / name) for side, name in ((a, "a"), (b, "b"))]
        code = subprocess.run([program, *places], check=False).returncode  # noqa: S603 (a program of the user's own PATH, two paths)
    if code not in (0, 1):
        raise DiffoscopeFailed(f"diffoscope ended with exit code {code}", found=code)
    return int(ExitCode.DONE if code == 0 else ExitCode.NOT_REPRODUCED)


def _written(side: Side, folder: Path) -> str:
    folder.mkdir()
    if isinstance(side, FileSide):
        place = folder / side.name
        place.write_bytes(side.data)
        return str(place)
    for member in side.members:
        (folder / member.path).write_bytes(member.read())
    return str(folder)
