"""The version that a commit has by the nearest tag that names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.adapters.source_git.place import asked
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.record.version import described_version, tag_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockage.base.name import Version

__all__ = ["describe", "version_by_tag"]

#: What a tag that names a version begins with, after the prefix of a project's own.
_FORMS = ("v[0-9]*", "V[0-9]*", "[0-9]*")


def describe(git: Git, top: Path, revision: str, prefix: str, *, without: Iterable[str] = ()) -> Running:
    """Ask for the nearest tag that looks like a version; :func:`version_by_tag` reads the answer."""
    matches = (f"--match={prefix}{form}" for form in _FORMS)
    return git.objects(top, ("describe", "--tags", "--long", "--abbrev=64", *matches, *(f"--exclude={tag}" for tag in without), revision))


def version_by_tag(git: Git, top: Path, prefix: str, describing: Running, commit: str | None, *, dirty: bool = False) -> Version | None:
    """The version of a commit by the tag that was asked for, or by the nearest after it that names a version; None if there is none."""
    tag, distance = _described(git, top, describing, commit)
    if commit is None or tag is None:
        return None
    if tag_version(tag.removeprefix(prefix)) is None:
        again = describe(git, top, commit, prefix, without=_pretenders(git, top, prefix))
        with ending(again):
            tag, distance = _described(git, top, again, commit)
        if tag is None:
            return None
    return described_version(tag.removeprefix(prefix), distance, commit, dirty=dirty)


def _described(git: Git, top: Path, describing: Running, commit: str | None) -> tuple[str | None, int]:
    """The tag and how many commits ago it was; None if no tag leads to this commit."""
    try:
        text = describing.output().decode(errors="replace").strip()
    except GitFailed:
        return None, 0
    tag, distance, found = text.rsplit("-", 2)
    if found == f"g{commit}":
        return tag, int(distance)
    # HEAD moved meanwhile; or it is a tag of a tag, for which git names the inner one in the commit's place.
    same = distance == "0" and commit is not None and asked(git, top, "rev-parse", f"refs/tags/{tag}^{{commit}}") == commit
    return (tag, 0) if same else (None, 0)


def _pretenders(git: Git, top: Path, prefix: str) -> list[str]:
    """The repository's tags that look like a version (``2024-release``) and name none.

    They can stand as patterns: no tag's name holds what has a meaning in one (git-check-ref-format(1)).
    """
    running = git.objects(top, ("for-each-ref", "--format=%(refname:strip=2)", "refs/tags"))
    with ending(running):
        try:
            names = running.output().decode(errors="surrogateescape").splitlines()
        except GitFailed:
            return []
    own = [name for name in names if name.startswith(prefix) and name.removeprefix(prefix)[:2].lstrip("vV")[:1].isdigit()]
    return [name for name in own if tag_version(name.removeprefix(prefix)) is None]
