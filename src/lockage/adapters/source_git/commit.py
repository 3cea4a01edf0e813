"""What a commit is, asked of git in one question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import Found, look_up
from lockage.adapters.source_git.process import Git, GitFailed, Running
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.adapters.source_git.scope import Scope

__all__ = ["FILES", "Commit", "answered", "ask"]

#: What is read beside a recipe, the recipe first.
FILES = ("lockage.toml", "lockage.lock", "pyproject.toml")


class Commit(msgspec.Struct, frozen=True):
    """What the objects say of a commit: ``tree`` is that of the path asked for, None if it has none; ``files`` are :data:`FILES`.

    ``shared`` is the file of environments that the recipe shares.
    """

    oid: str
    date: Instant
    tree: str | None
    files: tuple[bytes | None, ...]
    shared: bytes | None
    is_tag: bool


def ask(git: Git, top: Path, revision: str, scope: Scope) -> Running:
    """Ask for a revision's commit; :func:`answered` reads it."""
    path = scope.tree
    if "\n" in revision or "\0" in revision or "\n" in f"{scope.home} {scope.shared}":
        raise SourceUnusable(f"not a revision or path that git can be asked for: {revision!r}")
    names = [f"{revision}^{{commit}}", f"{revision}^{{commit}}:{path}" if path else f"{revision}^{{tree}}"]
    names += [f"{revision}^{{commit}}:{scope.at(file)}" for file in FILES]
    names += [f"{revision}^{{commit}}:{scope.shared or '.'}"]
    names += [f"refs/tags/{revision}^{{commit}}"]
    return git.objects(top, ("cat-file", "--batch"), "".join(f"{name}\n" for name in names).encode())


def answered(asked: Running) -> Commit | None:
    try:
        commit, tree, *files, shared, tag = look_up(asked, 4 + len(FILES))
    except GitFailed as error:
        raise SourceUnusable(f"git cannot read the repository: {error.text}") from error
    if commit is None or commit.kind != "commit":
        return None
    return Commit(
        oid=commit.oid,
        date=_committed(commit),
        tree=tree.oid if tree is not None and tree.kind == "tree" else None,
        files=tuple(_file(file) for file in files),
        shared=_file(shared),
        is_tag=tag is not None and tag.oid == commit.oid,
    )


def _committed(commit: Found) -> Instant:
    """The committer's time, not before 1980."""
    found = re.search(rb"^committer .*> (-?[0-9]{1,12}) [-+][0-9]+$", commit.data.partition(b"\n\n")[0], re.MULTILINE)
    if found is None:
        raise SourceUnusable(f"the commit {commit.oid} does not say when it was made", commit=commit.oid)
    return max(ZIP_FLOOR, Instant(int(found[1])))


def _file(found: Found | None) -> bytes | None:
    return found.data if found is not None and found.kind == "blob" else None
