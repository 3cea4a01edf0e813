"""The nearest tag that names a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.adapters.source_git.place import asked
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.record.version import tag_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["described", "nearest"]


def described(git: Git, top: Path, describe: Running, commit: str | None) -> tuple[str | None, int]:
    """The tag of a ``git describe --long`` of this commit and how many commits ago it was; None if no tag leads there."""
    try:
        text = describe.output().decode(errors="replace").strip()
    except GitFailed:
        return None, 0
    tag, distance, found = text.rsplit("-", 2)
    if found == f"g{commit}":
        return tag, int(distance)
    # HEAD moved meanwhile; or it is a tag of a tag, for which git names the inner one in the commit's place.
    same = distance == "0" and commit is not None and asked(git, top, "rev-parse", f"refs/tags/{tag}^{{commit}}") == commit
    return (tag, 0) if same else (None, 0)


def nearest(git: Git, top: Path, commit: str, prefix: str, describe: Sequence[str], forms: Sequence[str]) -> tuple[str | None, int]:
    """The same where the nearest tag only looks like a version (``2024-release``): all such tags of the repository are left out."""
    running = git.objects(top, ("for-each-ref", "--format=%(refname:strip=2)", "refs/tags"))
    with ending(running):
        try:
            names = running.output().decode(errors="surrogateescape").splitlines()
        except GitFailed:
            return None, 0
    others = [name for name in names if name.startswith(prefix) and tag_version(name.removeprefix(prefix)) is None]
    # Only those that the forms would let in have to be named. No tag's name holds what a pattern has a meaning for
    # (git-check-ref-format(1)).
    others = [name for name in others if name.removeprefix(prefix)[:2].lstrip("vV")[:1].isdigit()]
    matches = (f"--match={prefix}{form}" for form in forms)
    running = git.objects(top, (*describe, *matches, *(f"--exclude={name}" for name in others), commit))
    with ending(running):
        return described(git, top, running, commit)
