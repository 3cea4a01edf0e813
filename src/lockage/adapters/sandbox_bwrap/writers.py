"""Who wrote what: for every file of a sandbox the command line of the process that made its content."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Writers"]

#: So many paths are noted, so many words of a command line, and so many bytes of it.
_PATHS, _WORDS, _BYTES = 500_000, 256, 1 << 15
_WRITABLE = os.O_WRONLY | os.O_RDWR

Argv = tuple[str, ...]


class Writers:
    """Fills as a step runs. A renamed or linked file keeps the writer of its content; one that is copied has been written by the copier.

    A program that starts with a file open for writing (a shell's redirection) is its writer, though another process opened it. Tasks
    are asked about only while they stand.
    """

    def __init__(self) -> None:
        #: In the order of the last write.
        self.found: dict[str, Argv] = {}
        self._argv: dict[int, Argv] = {}

    def opened(self, task: int, descriptor: int) -> None:
        """The task has opened a file for writing, or made it."""
        with suppress(OSError):
            path = str(Path(f"/proc/{task}/fd/{descriptor}").readlink())
            if path.startswith("/") and not path.startswith(("/dev/", "/proc/")):
                self._note(path, self._command(task))

    def made(self, task: int, path: str) -> None:
        """The task has made what is at this path."""
        if path:
            self._note(path, self._command(task))

    def renamed(self, task: int, old: str, new: str, *, moved: bool) -> None:
        """The task has given a file, or a folder with all in it, another path; or one more, unless it was moved."""
        if not new:
            return
        known = self.found.pop(old, None) if moved else self.found.get(old)
        below = [path for path in self.found if path.startswith(f"{old}/")] if known is None and moved else []
        if not below:
            self._note(new, known or self._command(task))
        for path in below:
            self._note(new + path[len(old) :], self.found.pop(path))

    def executed(self, task: int) -> None:
        """The task has become another program, which has what was left open for it."""
        self._argv.pop(task, None)
        with suppress(OSError):
            for place in Path(f"/proc/{task}/fd").iterdir():
                path = str(place.readlink())
                if path in self.found and _writable(task, place.name):
                    self._note(path, self._command(task))

    def ended(self, task: int) -> None:
        """The task is no more; its number may come again."""
        self._argv.pop(task, None)

    def _note(self, path: str, argv: Argv) -> None:
        self.found.pop(path, None)
        if len(self.found) < _PATHS:
            self.found[path] = argv

    def _command(self, task: int) -> Argv:
        found = self._argv.get(task)
        if found is None:
            with suppress(OSError), Path(f"/proc/{task}/cmdline").open("rb") as stream:
                words = stream.read(_BYTES).rstrip(b"\0").split(b"\0")
                found = tuple(word.decode(errors="replace") for word in words[:_WORDS])
            found = self._argv[task] = found or ("?",)
        return found


def _writable(task: int, descriptor: str) -> bool:
    """Whether a descriptor was opened for writing (proc(5), fdinfo)."""
    lines = Path(f"/proc/{task}/fdinfo/{descriptor}").read_text().splitlines()
    return any(int(line.split()[1], 8) & _WRITABLE for line in lines if line.startswith("flags:"))
