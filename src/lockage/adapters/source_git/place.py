"""Where a commit is read from, and where to look for what the commit refers to but does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.base.path import RelPath
from lockage.record.locator import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["Place", "asked", "folders", "holds"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A repository: ``at`` is where git is run; ``top`` its working copy, if it has one here; ``remote`` where a copy of ours comes from.

    For the repository of a submodule ``inside`` is the path in the source's own repository, ``outermost`` that of the first
    submodule on the way there, and ``clone`` the working copy around them all: what messages and advice name.
    """

    at: Path
    top: Path | None = None
    remote: Remote | None = None
    inside: RelPath | None = None
    outermost: RelPath | None = None
    clone: Path | None = None

    def shown(self, path: RelPath) -> RelPath:
        """A path of this repository as the source has it."""
        return self.inside.joined(path) if self.inside else path


def asked(git: Git, at: Path, *arguments: str) -> str | None:
    """One line that a reading command answers; None if it has no answer."""
    running = git.objects(at, arguments)
    with ending(running):
        try:
            return running.output().decode(errors="surrogateescape").removesuffix("\n")
        except GitFailed:
            return None


def holds(git: Git, at: Path, commit: str) -> bool:
    """Whether a repository has a commit."""
    return asked(git, at, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def folders(git: Git, at: Path) -> Iterator[Path]:
    """The repository's own folder, then the one that linked working copies share with it."""
    seen = None
    for option in ("--git-dir", "--git-common-dir"):
        found = asked(git, at, "rev-parse", option)
        if found and found != seen:
            seen = found
            yield at / found
