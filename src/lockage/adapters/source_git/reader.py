"""A commit → a source; a working copy with changes → a directory source that says which.

An unchanged commit costs three or four short git processes that run beside each other, and no file is read: the REAPI tree
of every git tree is remembered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.commit import FILES, Commit, answered, ask
from lockage.adapters.source_git.objects import listed
from lockage.adapters.source_git.place import Place, asked
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.adapters.source_git.scope import Scope, file_at
from lockage.adapters.source_git.status import Status, read_status
from lockage.adapters.source_git.tags import describe, version_by_tag
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR
from lockage.base.name import Version
from lockage.base.path import RelPath
from lockage.base.tree import Tree, read_tree
from lockage.base.tree import file_at as blob_at
from lockage.echo.git import COMPARING
from lockage.ports import BlobCorrupt, BlobMissing, SourceRead, SourceUnusable
from lockage.record.locator import Remote, public_address
from lockage.record.source import CommitOrigin, DirectoryOrigin
from lockage.record.version import VersionCandidates, pyproject_version, unnamed_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from lockage.adapters.source_git.importer import Importer
    from lockage.ports import Blobs, Memo

__all__ = ["OBJECTS_MEMO", "TREE_MEMO", "GitSource"]

#: The meaning of a remembered tree; to be raised when the same git tree is to become another REAPI tree.
TREE_MEMO = "git-tree-1"
#: The same of what is kept of a repository's objects.
OBJECTS_MEMO = "git-objects-1"
#: The same of a remembered version of a pyproject.toml.
_PYPROJECT = "pyproject-version-1"
#: The trees of working copies whose Directory messages were made durable.
_KEPT_MEMO = "copy-kept-1"
#: So many different blobs of a working copy may be found lost one after the other; more means a failing disk.
_MOST = 8


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
        place, scope = Place(at=top, top=top), Scope(tree=path, home=path)
        found = self._seen(place, scope, read=True)
        if found is None or isinstance(found, SourceRead):
            return found
        # The recipe says that more belongs to its source than its directory: look at all of that.
        found = self._seen(place, found, read=False)
        return None if isinstance(found, Scope) else found

    def _seen(self, place: Place, scope: Scope, *, read: bool) -> SourceRead | Scope | None:
        """The source as the working copy has it; with ``read`` the scope that its recipe asks for, if that is another."""
        top = place.at
        compared = self._compared(top, scope.paths)  # the longest of them, so it is the first
        with ending(compared):
            running = [ask(self._git, top, "HEAD", scope), describe(self._git, top, "HEAD", scope.tag_prefix), self._origin(top)]
            with ending(*running):
                status = self._with_submodules(top, _status(compared, top), scope)
                commit = answered(running[0])
                if commit is not None and commit.tree is None and scope.tree is not None:
                    return None
                clean = commit is not None and not status.changes
                recipe = commit.files[0] if commit is not None and clean else file_at(top, scope.at("lockage.toml"))
                wanted = scope.widened(recipe) if read else scope
                if wanted != scope:
                    return wanted
                if commit is not None and clean and status.head == commit.oid:
                    tag = version_by_tag(self._git, top, scope.tag_prefix, running[1], commit.oid)
                    return self._read(place, commit, scope, versions=tag, repository=_address(running[2]))
                if commit is not None and clean:
                    raise SourceUnusable("HEAD moved while the source was read", hint="Run the command again.")
                tag = version_by_tag(self._git, top, scope.tag_prefix, running[1], commit.oid if commit else None, dirty=True)
                return self._read_changed(place, scope, commit, status, tag)

    def read_commit(self, top: Path, revision: str, path: RelPath | None) -> SourceRead:
        """The commit that ``revision`` names, whatever the working copy holds. Raises :class:`SourceUnusable`."""
        return self._read_commit(Place(at=top, top=top if (top / ".git").exists() else None), revision, path)

    def _read_commit(self, place: Place, revision: str, path: RelPath | None) -> SourceRead:
        scope = Scope(tree=path, home=path)
        asking, origin = ask(self._git, place.at, revision, scope), self._origin(place.at)
        with ending(asking, origin):
            commit = self._resolved(asking, place.at, revision, path)
            scope = scope.widened(commit.files[0])
            if scope.besides:
                again = ask(self._git, place.at, commit.oid, scope)
                with ending(again):
                    wide = self._resolved(again, place.at, commit.oid, scope.tree)
                commit = msgspec.structs.replace(wide, is_tag=commit.is_tag)
            describing = describe(self._git, place.at, commit.oid, scope.tag_prefix)
            with ending(describing):
                versions = version_by_tag(self._git, place.at, scope.tag_prefix, describing, commit.oid)
            tag = revision if commit.is_tag else None
            return self._read(place, commit, scope, versions=versions, repository=_address(origin), tag=tag)

    def read_remote(self, remote: Remote, path: RelPath | None = None) -> SourceRead:
        """A commit of a repository elsewhere, from a bare copy that is kept and brought up to date.

        Raises :class:`SourceUnusable`, or :class:`ServiceUnreachable` if the server does not answer.
        """
        from lockage.adapters.source_git.remote import Clones  # a repository on this machine needs no copies

        repository, revision = Clones(self._git, self._clones).fetched(remote)
        read = self._read_commit(Place(at=repository, remote=remote), revision, path)
        assert isinstance(read.origin, CommitOrigin)
        tag = read.origin.tag if remote.revision else None
        origin = msgspec.structs.replace(read.origin, repository=public_address(remote.address), tag=tag)
        return msgspec.structs.replace(read, origin=origin)

    def _origin(self, top: Path) -> Running:
        return self._git.objects(top, ("config", "--local", "--get", "remote.origin.url"))

    def _compared(self, top: Path, paths: tuple[RelPath | None, ...]) -> Running:
        options = (*COMPARING, "--untracked-files=normal")
        if len(paths) == 1:
            return self._git.compare(top, paths[0] or ".", (*options, "--", "."))
        names = (path or "." for path in paths)
        return self._git.compare(top, ".", ("--literal-pathspecs", *options, "--", *names))

    def _status_of(self, top: Path) -> Status:
        compared = self._compared(top, (None,))
        with ending(compared):
            return _status(compared, top)

    def _with_submodules(self, top: Path, status: Status, scope: Scope) -> Status:
        """With what was changed inside of submodules. git itself would run what their configuration names, so each is compared alone."""
        if not (top / ".gitmodules").is_file():
            return status
        from lockage.adapters.source_git.submodules import populated  # most repositories have none

        for path, module in populated(self._git, top).items():
            if any(part is None or path.startswith(f"{part}/") for part in scope.paths):
                status = status.and_below(path, self._with_submodules(module, self._status_of(module), Scope()))
        return status

    def _resolved(self, asked: Running, top: Path, revision: str, path: RelPath | None) -> Commit:
        commit = answered(asked)
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
        self, place: Place, commit: Commit, scope: Scope, *, versions: Version | None, repository: str | None, tag: str | None = None
    ) -> SourceRead:
        recipe, lock, pyproject = commit.files
        stated = self._stated(pyproject)
        return SourceRead(
            tree=self._tree(place, commit, scope.tree),
            date=commit.date,
            origin=CommitOrigin(commit=commit.oid, repository=repository, tag=tag, path=scope.tree),
            versions=VersionCandidates(pyproject=stated, tag=versions, fallback=unnamed_version(commit.oid)),
            recipe=recipe,
            lock=lock,
            home=scope.inside,
            shared=scope.checked(commit.shared),
            shallow=versions is None and self._is_shallow(place.at),
        )

    def _is_shallow(self, at: Path) -> bool:
        """Whether history was cut off. Only a linked working copy must be asked; elsewhere a file says it."""
        if (at / ".git").is_file():
            return asked(self._git, at, "rev-parse", "--is-shallow-repository") == "true"
        return (at / ".git" / "shallow").exists() or (at / "shallow").exists()

    def _tree(self, place: Place, commit: Commit, path: RelPath | None) -> BlobRef:
        assert commit.tree is not None
        for key in (commit.tree, f"{commit.oid}:{path}") if path else (commit.tree,):
            kept = self._remembered(key)
            if kept is not None and self._blobs.has(kept):
                return kept
        from lockage.adapters.source_git.known import read_known, write_known  # a commit that is remembered needs neither
        from lockage.adapters.source_git.subtrees import Subtrees

        known = read_known(self._memo, OBJECTS_MEMO, self._blobs, place.at, path)
        root, key = Subtrees(self._git, place.at, self._blobs, known).read(commit.tree), commit.tree
        if root is None:
            imported = self._importer().read(place, commit.oid, path, known)
            root, directories = imported.tree.encode()
            self._blobs.put_many(directories.values())
            key = commit.tree if imported.alone else f"{commit.oid}:{path}"
        self._memo.put(TREE_MEMO, key, str(root).encode())
        write_known(self._memo, OBJECTS_MEMO, place.at, path, known)
        return root

    def _importer(self) -> Importer:
        from lockage.adapters.source_git.importer import Importer  # a commit that is remembered needs none

        return Importer(self._git, self._blobs, self._clones)

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

    def _read_changed(self, place: Place, scope: Scope, commit: Commit | None, status: Status, version: Version | None) -> SourceRead:
        """The working copy: what git knows or would add, as it is now. What the store has lost of it is read once more."""
        met: set[str] = set()
        reader = self
        while True:
            try:
                return reader._changed(place, scope, commit, status, version)
            except (BlobCorrupt, BlobMissing) as error:
                if error.message in met or len(met) == _MOST:
                    raise
                met.add(error.message)  # which names the blob
                from copy import copy  # few stores lose anything

                from lockage.adapters.source_git.forgetful import Forgetful

                reader = copy(self)
                reader._memo = Forgetful(self._memo)  # noqa: SLF001 (of the same class)

    def _changed(self, place: Place, scope: Scope, commit: Commit | None, status: Status, version: Version | None) -> SourceRead:
        from lockage.adapters.source_git.changed import ChangedCopy  # an unchanged one needs none

        changed = ChangedCopy(
            self._git, self._importer(), snapshot=self._snapshot, status=self._status_of, committed=partial(self._committed, None)
        )
        committed = self._tree(place, commit, scope.tree) if commit else None
        root, directories = changed.root(place, committed, scope.tree, status, self._blobs.get)
        if not (self._memo.get(_KEPT_MEMO, root.digest) and all(self._blobs.has(BlobRef.of(data)) for data in directories)):
            self._blobs.put_many(directories)  # a look is cheaper than a sync
            self._memo.put(_KEPT_MEMO, root.digest, b"kept")
        recipe, lock, pyproject = (self._now(root, scope.below(file)) for file in FILES)
        fallback = unnamed_version(commit.oid, dirty=True) if commit else Version("0+directory")
        reason = f"the working copy has uncommitted changes: {listed(status.changes)}" if commit else "the repository has no commit yet"
        return SourceRead(
            tree=root,
            date=commit.date if commit else ZIP_FLOOR,
            origin=DirectoryOrigin(reason=reason),
            versions=VersionCandidates(pyproject=pyproject_version(pyproject), tag=version, fallback=fallback),
            recipe=recipe,
            lock=lock,
            home=scope.inside,
            shared=scope.checked(file_at(place.at, scope.shared)) if scope.shared else None,
        )

    def _now(self, root: BlobRef, name: str) -> bytes | None:
        found = blob_at(root, RelPath(name), self._blobs.get)
        return None if found is None else self._blobs.get(found)

    def _committed(self, path: RelPath | None, place: Place, oid: str) -> Tree:
        """The tree of a commit, remembered like any other."""
        name = asked(self._git, place.at, "rev-parse", f"{oid}^{{commit}}:{path}" if path else f"{oid}^{{tree}}")
        found = Commit(oid=oid, date=ZIP_FLOOR, tree=name or "", files=(), shared=None, is_tag=False)
        return read_tree(self._tree(place, found, path), self._blobs.get)


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


def _address(origin: Running) -> str | None:
    try:
        return public_address(origin.output().decode(errors="replace").strip())
    except GitFailed:
        return None
