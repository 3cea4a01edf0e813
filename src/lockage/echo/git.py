"""How git is called, and what its comparison of a working copy says.

The rules of :mod:`lockage.adapters.source_git.process`: a repository's own configuration cannot make git do more than read, and the
comparison alone sees the configuration of user and system.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ALWAYS", "COMPARING", "Comparison", "ceiling", "changed", "commit_of", "environment"]

#: Of git's own variables only these say how to reach a server; the others would redirect or trace what is read.
_KEPT = frozenset(
    {
        "GIT_ASKPASS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
    }
)
ALWAYS = (
    "--no-pager",
    "--no-replace-objects",
    "-c",
    "safe.bareRepository=all",  # ours are named outright, never found by looking around
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
)
#: What is asked of a working copy.
COMPARING = ("status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=dirty")
#: How many fields stand before the path of an entry of each kind (git-status(1), "Changed Tracked Entries").
_FIELDS = {b"1": 8, b"2": 9, b"u": 10, b"?": 1}
_COMMIT = b"\0# branch.oid "
_CHUNK = 1 << 16
_KILL = 9  # the module that has its name is not imported here


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What git may see where it compares a working copy."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_GRAFT_FILE": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
    }


def ceiling(parent: str) -> dict[str, str]:
    """A broken repository must not be taken for one around it."""
    return {"GIT_CEILING_DIRECTORIES": parent}


def changed(data: bytes) -> Iterator[tuple[list[bytes], bytes | None]]:
    """Every entry of the comparison that is a change: its fields, the path last, and the path that it had before if it was renamed."""
    records = iter(data.split(b"\0")[:-1])
    for record in records:
        kind = record[:1]
        if kind in _FIELDS:
            yield record.split(b" ", _FIELDS[kind]), next(records) if kind == b"2" else None


def commit_of(data: bytes) -> bytes:
    """The commit that is checked out, as the comparison names it; nothing if it does not say."""
    _, found, rest = (b"\0" + data).partition(_COMMIT)
    return rest.partition(b"\0")[0] if found else b""


class Comparison:
    """A git that compares a whole working copy while something else is done. Raises OSError if there is no git."""

    def __init__(self, top: str, environ: Mapping[str, str]) -> None:
        # Every untracked file by its name, as each of them is a part of the source; how far a branch is ahead of another plays no part.
        command = ["git", "-C", top, *ALWAYS, *COMPARING, "--untracked-files=all", "--no-ahead-behind"]
        self._out, into = os.pipe()
        self._process = 0
        try:
            self._process = os.posix_spawnp(
                "git",
                command,
                {**environment(environ), **ceiling(os.path.dirname(top))},  # noqa: PTH120
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, into, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
            )
        finally:
            os.close(into)
            if not self._process:
                os.close(self._out)

    def output(self) -> bytes | None:
        """What it says; None if it failed."""
        parts = []
        while part := os.read(self._out, _CHUNK):
            parts.append(part)
        return None if self._ended() else b"".join(parts)

    def stop(self) -> None:
        """End it, if it still runs."""
        if self._process:
            os.kill(self._process, _KILL)
            self._ended()

    def _ended(self) -> int:
        os.close(self._out)
        process, self._process = self._process, 0
        return os.waitpid(process, 0)[1]
