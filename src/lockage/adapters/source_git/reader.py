"""A commit → a source; a working copy with changes → a directory source that says which.

An unchanged commit costs three or four short git processes that run beside each other, and no file is read: the REAPI tree
of every git tree is remembered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import Found, import_tree, listed, look_up
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.adapters.source_git.status import Status, read_status
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.name import Version
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.locator import Remote, public_address
from lockage.record.source import CommitOrigin, DirectoryOrigin
from lockage.record.version import VersionCandidates, described_version, pyproject_version, unnamed_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from lockage.base.path import RelPath
    from lockage.base.tree import Tree
    from lockage.ports import Blobs, Memo

__all__ = ["TREE_MEMO", "GitSource"]

#: The meaning of a remembered tree; to be raised when the same git tree is to become another REAPI tree.
TREE_MEMO = "git-tree-1"
#: The same of a remembered version of a pyproject.toml.
_PYPROJECT = "pyproject-version-1"
_DESCRIBE = ("describe", "--tags", "--long", "--abbrev=64", "--match=v[0-9]*", "--match=V[0-9]*", "--match=[0-9]*")
_FILES = ("lockage.toml", "lockage.lock", "pyproject.toml")


class _Commit(msgspec.Struct, frozen=True):
    """What the objects say of a commit: ``tree`` is that of the path asked for, None if it has none; ``files`` are :data:`_FILES`."""

    oid: str
    date: Instant
    tree: str | None
    files: tuple[bytes | None, ...]
    is_tag: bool


class GitSource:
    """Reads repositories. ``clones`` is a folder for copies of those elsewhere; ``snapshot`` reads files of a working copy as they are.

    ``environment`` is what git may see: PATH, HOME and how to reach servers.
    """

    def __init__(
        self, blobs: Blobs, memo: Memo, *, clones: Path, environment: Mapping[str, str], snapshot: Callable[[Path, Iterable[bytes]], Tree]
    ) -> None:
        self._blobs = blobs
        self._memo = memo
        self._git = Git(environment)
        self._clones = clones
        self._snapshot = snapshot

    def read_work_tree(self, top: Path, path: RelPath | None) -> SourceRead | None:
        """HEAD's commit if the working copy has no changes below ``path``, else the working copy; None if git does not know ``path``.

        Raises :class:`SourceUnusable`.
        """
        compared = self._compared(top, path)  # the longest of them, so it is the first
        with ending(compared):
            running = [self._ask(top, "HEAD", path), self._describe(top, "HEAD"), self._origin(top)]
            with ending(*running):
                status = _status(compared, top)
                commit = _commit(running[0])
                if commit is not None and commit.tree is None and path is not None:
                    return None
                if commit is not None and not status.changes and status.head == commit.oid:
                    return self._read(top, commit, path, versions=_described(running[1], commit), repository=_address(running[2]))
                if commit is not None and not status.changes:
                    raise SourceUnusable("HEAD moved while the source was read", hint="Run the command again.")
                return self._read_changed(top, path, commit, status, _described(running[1], commit, dirty=True))

    def read_commit(self, top: Path, revision: str, path: RelPath | None) -> SourceRead:
        """The commit that ``revision`` names, whatever the working copy holds. Raises :class:`SourceUnusable`."""
        asked, origin = self._ask(top, revision, path), self._origin(top)
        with ending(asked, origin):
            commit = self._resolved(asked, top, revision, path)
            describe = self._describe(top, commit.oid)
            with ending(describe):
                versions = _described(describe, commit)
            return self._read(top, commit, path, versions=versions, repository=_address(origin), tag=revision if commit.is_tag else None)

    def read_remote(self, remote: Remote) -> SourceRead:
        """A commit of a repository elsewhere, from a bare copy that is kept and brought up to date.

        Raises :class:`SourceUnusable`, or :class:`ServiceUnreachable` if the server does not answer.
        """
        from lockage.adapters.source_git.remote import Clones  # a repository on this machine needs no copies

        repository, revision = Clones(self._git, self._clones).fetched(remote)
        read = self.read_commit(repository, revision, None)
        assert isinstance(read.origin, CommitOrigin)
        tag = read.origin.tag if remote.revision else None
        origin = msgspec.structs.replace(read.origin, repository=public_address(remote.address), tag=tag)
        return msgspec.structs.replace(read, origin=origin)

    def _ask(self, top: Path, revision: str, path: RelPath | None) -> Running:
        if "\n" in revision or "\0" in revision or (path and "\n" in path):
            raise SourceUnusable(f"not a revision or path that git can be asked for: {revision!r}")
        below = f"{path}/" if path else ""
        names = [f"{revision}^{{commit}}", f"{revision}^{{commit}}:{path}" if path else f"{revision}^{{tree}}"]
        names += [f"{revision}^{{commit}}:{below}{file}" for file in _FILES]
        names += [f"refs/tags/{revision}^{{commit}}"]
        return self._git.objects(top, ("cat-file", "--batch"), "".join(f"{name}\n" for name in names).encode())

    def _describe(self, top: Path, revision: str) -> Running:
        return self._git.objects(top, (*_DESCRIBE, revision))

    def _origin(self, top: Path) -> Running:
        return self._git.objects(top, ("config", "--local", "--get", "remote.origin.url"))

    def _compared(self, top: Path, path: RelPath | None) -> Running:
        arguments = ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--", ".")
        return self._git.compare(top, path or ".", arguments)

    def _resolved(self, asked: Running, top: Path, revision: str, path: RelPath | None) -> _Commit:
        commit = _commit(asked)
        if commit is None:
            raise SourceUnusable(
                f"{top} has no commit {revision!r}",
                path=str(top),
                revision=revision,
                hint="Name a commit, tag or branch that the repository has.",
            )
        if commit.tree is None:
            raise SourceUnusable(f"the commit {revision!r} of {top} has no directory {path}", path=path, revision=revision)
        return commit

    def _read(
        self, top: Path, commit: _Commit, path: RelPath | None, *, versions: Version | None, repository: str | None, tag: str | None = None
    ) -> SourceRead:
        recipe, lock, pyproject = commit.files
        return SourceRead(
            tree=self._tree(top, commit),
            date=commit.date,
            origin=CommitOrigin(commit=commit.oid, repository=repository, tag=tag, path=path),
            versions=VersionCandidates(pyproject=self._stated(pyproject), tag=versions, fallback=unnamed_version(commit.oid)),
            recipe=recipe,
            lock=lock,
        )

    def _tree(self, top: Path, commit: _Commit) -> BlobRef:
        assert commit.tree is not None
        kept = self._remembered(commit.tree)
        if kept is not None and self._blobs.has(kept):
            return kept
        root, directories = import_tree(self._git, top, commit.tree, self._blobs).encode()
        self._blobs.put_many(directories.values())
        self._memo.put(TREE_MEMO, commit.tree, str(root).encode())
        return root

    def _stated(self, pyproject: bytes | None) -> Version | None:
        """The version that a pyproject.toml states, remembered by its bytes: an unchanged one needs no TOML parser."""
        if pyproject is None:
            return None
        key = Digest.of(pyproject)
        kept = self._memo.get(_PYPROJECT, key)
        if kept is None:
            stated = pyproject_version(pyproject)
            self._memo.put(_PYPROJECT, key, (stated or "").encode())
            return stated
        try:
            return Version(kept.decode()) if kept else None
        except ValueError:
            return pyproject_version(pyproject)  # a memo counts for nothing

    def _remembered(self, tree: str) -> BlobRef | None:
        kept = self._memo.get(TREE_MEMO, tree)
        try:
            return None if kept is None else BlobRef.parse(kept.decode())
        except ValueError:
            return None  # a memo counts for nothing

    def _read_changed(self, top: Path, path: RelPath | None, commit: _Commit | None, status: Status, version: Version | None) -> SourceRead:
        """The working copy: what git knows or would add, as it is now."""
        where = top / path if path else top
        running = self._git.compare(top, path or ".", ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."))
        with ending(running):
            try:
                names = sorted(set(running.output().split(b"\0")) - {b""})
            except GitFailed as error:
                raise SourceUnusable(f"git cannot list the working copy {where}: {error.text}", path=str(where)) from error
        nested = [name.decode("utf-8", "backslashreplace") for name in names if name.endswith(b"/") or _is_repository(where, name)]
        if nested:
            raise SourceUnusable(
                f"the working copy holds other repositories, which lockage does not read yet: {listed(nested)}",
                paths=tuple(nested),
                hint="Build from an sdist that contains them, or commit their files.",
            )
        tree = self._snapshot(where, names)
        root, directories = tree.encode()
        self._blobs.put_many(directories.values())
        recipe, lock, pyproject = (_now(tree, file, self._blobs) for file in _FILES)
        fallback = unnamed_version(commit.oid, dirty=True) if commit else Version("0+directory")
        reason = f"the working copy has uncommitted changes: {listed(status.changes)}" if commit else "the repository has no commit yet"
        return SourceRead(
            tree=root,
            date=commit.date if commit else ZIP_FLOOR,
            origin=DirectoryOrigin(reason=reason),
            versions=VersionCandidates(pyproject=pyproject_version(pyproject), tag=version, fallback=fallback),
            recipe=recipe,
            lock=lock,
        )


def _status(compared: Running, top: Path) -> Status:
    try:
        return read_status(compared.output())
    except GitFailed as error:
        hint = None
        if "dubious ownership" in error.text:
            trust = f"git config --global --add safe.directory {top}"
            hint = f"It belongs to another user: name the commit, {top}@HEAD, or trust it with `{trust}`."
        message = f"git cannot compare the working copy {top}: {error.text.splitlines()[0]}"
        raise SourceUnusable(message, path=str(top), hint=hint) from error


def _is_repository(where: Path, name: bytes) -> bool:
    path = where / name.decode("utf-8", "surrogateescape")
    return path.is_dir() and not path.is_symlink()


def _now(tree: Tree, name: str, blobs: Blobs) -> bytes | None:
    from lockage.base.tree import FileNode  # a changed working copy is the slow path

    for node in tree:
        if node.path == name and isinstance(node, FileNode):
            return blobs.get(node.blob)
    return None


def _commit(asked: Running) -> _Commit | None:
    try:
        commit, tree, *files, tag = look_up(asked, 3 + len(_FILES))
    except GitFailed as error:
        raise SourceUnusable(f"git cannot read the repository: {error.text}") from error
    if commit is None or commit.kind != "commit":
        return None
    return _Commit(
        oid=commit.oid,
        date=_committed(commit),
        tree=tree.oid if tree is not None and tree.kind == "tree" else None,
        files=tuple(file.data if file is not None and file.kind == "blob" else None for file in files),
        is_tag=tag is not None and tag.oid == commit.oid,
    )


def _committed(commit: Found) -> Instant:
    """The committer's time, not before 1980."""
    found = re.search(rb"^committer .*> (-?[0-9]{1,12}) [-+][0-9]+$", commit.data.partition(b"\n\n")[0], re.MULTILINE)
    if found is None:
        raise SourceUnusable(f"the commit {commit.oid} does not say when it was made", commit=commit.oid)
    return max(ZIP_FLOOR, Instant(int(found[1])))


def _described(describe: Running, commit: _Commit | None, *, dirty: bool = False) -> Version | None:
    try:
        text = describe.output().decode().strip()
    except GitFailed:
        return None  # no tag leads there
    tag, distance, found = text.rsplit("-", 2)
    if commit is None or found != f"g{commit.oid}":
        return None
    return described_version(tag, int(distance), commit.oid, dirty=dirty)


def _address(origin: Running) -> str | None:
    try:
        return public_address(origin.output().decode(errors="replace").strip())
    except GitFailed:
        return None
