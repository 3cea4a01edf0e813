"""A folder at a glance: a few small files, and what git says of it; nothing is kept, nothing but reading is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.adapters.source_git.status import read_status
from lockage.ports import SourceUnusable, Surrounding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["GitSurroundings"]

#: Files larger than this are not what they are called.
_LARGEST = 4 << 20


class GitSurroundings:
    """Implements :class:`lockage.ports.Surroundings`. ``environment`` is what git may see."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._git = Git(environment)

    def look(self, folder: Path, names: Sequence[str]) -> Surrounding:
        folder = folder.absolute()
        files = {name: data for name in names if (data := _read(folder / name)) is not None}
        top = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
        if top is None:
            return Surrounding(folder=folder, files=files)
        arguments = ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--", ".")
        try:
            compared = self._git.compare(top, str(folder), arguments)
            with ending(compared):
                output = compared.output()
        except SourceUnusable as error:
            return Surrounding(folder=folder, files=files, repository=True, trouble=error.message)
        except GitFailed as error:
            return Surrounding(folder=folder, files=files, repository=True, trouble=error.text.partition("\n")[0])
        status = read_status(output)
        return Surrounding(
            folder=folder, files=files, repository=True, commit=status.head, branch=_branch(output), changes=tuple(sorted(status.changes))
        )


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError:
        return None
    return data if len(data) <= _LARGEST else None


def _branch(output: bytes) -> str | None:
    """The branch of `git status --porcelain=v2`; None if HEAD is detached."""
    for record in output.decode("utf-8", "backslashreplace").split("\0"):
        if record.startswith("# branch.head "):
            name = record.removeprefix("# branch.head ")
            return None if name == "(detached)" else name
    return None
