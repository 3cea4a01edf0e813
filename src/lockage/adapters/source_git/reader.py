"""A commit → a source; a working copy with changes → a directory source that says which.

An unchanged commit costs three or four short git processes that run beside each other, and no file is read: the REAPI tree
of every git tree is remembered.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import Found, listed, look_up
from lockage.adapters.source_git.place import Place, asked
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.adapters.source_git.scope import Scope, file_at
from lockage.adapters.source_git.status import Status, read_status
from lockage.adapters.source_git.tags import described, nearest
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.name import Version
from lockage.base.tree import FileNode, Tree, read_tree
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.locator import Remote, public_address
from lockage.record.source import CommitOrigin, DirectoryOrigin
from lockage.record.version import VersionCandidates, described_version, pyproject_version, tag_version, unnamed_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from lockage.adapters.source_git.importer import Importer
    from lockage.base.path import RelPath
    from lockage.ports import Blobs, Memo

__all__ = ["TREE_MEMO", "GitSource"]

#: The meaning of a remembered tree; to be raised when the same git tree is to become another REAPI tree.
TREE_MEMO = "git-tree-1"
#: The same of a remembered version of a pyproject.toml.
_PYPROJECT = "pyproject-version-1"
_DESCRIBE = ("describe", "--tags", "--long", "--abbrev=64")
#: What a tag that names a version begins with, after the prefix of a project's own.
_TAGS = ("v[0-9]*", "V[0-9]*", "[0-9]*")
_FILES = ("lockage.toml", "lockage.lock", "pyproject.toml")


class _Commit(msgspec.Struct, frozen=True):
    """What the objects say of a commit: ``tree`` is that of the path asked for, None if it has none; ``files`` are :data:`_FILES`.

    ``shared`` is the file of environments that the recipe shares.
    """

    oid: str
    date: Instant
    tree: str | None
    files: tuple[bytes | None, ...]
    shared: bytes | None
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
            running = [self._ask(top, "HEAD", scope), self._describe(top, "HEAD", scope), self._origin(top)]
            with ending(*running):
                status = self._with_submodules(top, _status(compared, top), scope)
                commit = _commit(running[0])
                if commit is not None and commit.tree is None and scope.tree is not None:
                    return None
                clean = commit is not None and not status.changes
                recipe = commit.files[0] if commit is not None and clean else file_at(top, scope.at("lockage.toml"))
                wanted = scope.widened(recipe) if read else scope
                if wanted != scope:
                    return wanted
                if commit is not None and clean and status.head == commit.oid:
                    tag = self._version(top, scope, running[1], commit)
                    return self._read(place, commit, scope, versions=tag, repository=_address(running[2]))
                if commit is not None and clean:
                    raise SourceUnusable("HEAD moved while the source was read", hint="Run the command again.")
                return self._read_changed(place, scope, commit, status, self._version(top, scope, running[1], commit, dirty=True))

    def read_commit(self, top: Path, revision: str, path: RelPath | None) -> SourceRead:
        """The commit that ``revision`` names, whatever the working copy holds. Raises :class:`SourceUnusable`."""
        return self._read_commit(Place(at=top, top=top if (top / ".git").exists() else None), revision, path)

    def _read_commit(self, place: Place, revision: str, path: RelPath | None) -> SourceRead:
        scope = Scope(tree=path, home=path)
        asked, origin = self._ask(place.at, revision, scope), self._origin(place.at)
        with ending(asked, origin):
            commit = self._resolved(asked, place.at, revision, path)
            scope = scope.widened(commit.files[0])
            if scope.besides:
                again = self._ask(place.at, commit.oid, scope)
                with ending(again):
                    wide = self._resolved(again, place.at, commit.oid, scope.tree)
                commit = msgspec.structs.replace(wide, is_tag=commit.is_tag)
            describe = self._describe(place.at, commit.oid, scope)
            with ending(describe):
                versions = self._version(place.at, scope, describe, commit)
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

    def _ask(self, top: Path, revision: str, scope: Scope) -> Running:
        path = scope.tree
        if "\n" in revision or "\0" in revision or (scope.home and "\n" in scope.home):
            raise SourceUnusable(f"not a revision or path that git can be asked for: {revision!r}")
        names = [f"{revision}^{{commit}}", f"{revision}^{{commit}}:{path}" if path else f"{revision}^{{tree}}"]
        names += [f"{revision}^{{commit}}:{scope.at(file)}" for file in _FILES]
        names += [f"{revision}^{{commit}}:{scope.shared or '.'}"]
        names += [f"refs/tags/{revision}^{{commit}}"]
        return self._git.objects(top, ("cat-file", "--batch"), "".join(f"{name}\n" for name in names).encode())

    def _describe(self, top: Path, revision: str, scope: Scope) -> Running:
        return self._git.objects(top, (*_DESCRIBE, *(f"--match={scope.tag_prefix}{form}" for form in _TAGS), revision))

    def _version(self, top: Path, scope: Scope, describe: Running, commit: _Commit | None, *, dirty: bool = False) -> Version | None:
        """The version by the nearest tag that names one."""
        tag, distance = described(self._git, top, describe, commit.oid if commit else None)
        if commit is None or tag is None:
            return None
        name = tag.removeprefix(scope.tag_prefix)
        if tag_version(name) is None:
            tag, distance = nearest(self._git, top, commit.oid, scope.tag_prefix, (*_DESCRIBE,), _TAGS)
            if tag is None:
                return None
            name = tag.removeprefix(scope.tag_prefix)
        return described_version(name, distance, commit.oid, dirty=dirty)

    def _origin(self, top: Path) -> Running:
        return self._git.objects(top, ("config", "--local", "--get", "remote.origin.url"))

    def _compared(self, top: Path, paths: tuple[RelPath | None, ...]) -> Running:
        options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty")
        if len(paths) == 1:
            return self._git.compare(top, paths[0] or ".", ("status", *options, "--", "."))
        names = (path or "." for path in paths)
        return self._git.compare(top, ".", ("--literal-pathspecs", "status", *options, "--", *names))

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
        self, place: Place, commit: _Commit, scope: Scope, *, versions: Version | None, repository: str | None, tag: str | None = None
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

    def _tree(self, place: Place, commit: _Commit, path: RelPath | None) -> BlobRef:
        assert commit.tree is not None
        for key in (commit.tree, f"{commit.oid}:{path}") if path else (commit.tree,):
            kept = self._remembered(key)
            if kept is not None and self._blobs.has(kept):
                return kept
        imported = self._importer().read(place, commit.oid, path)
        root, directories = imported.tree.encode()
        self._blobs.put_many(directories.values())
        self._memo.put(TREE_MEMO, commit.tree if imported.alone else f"{commit.oid}:{path}", str(root).encode())
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

    def _read_changed(self, place: Place, scope: Scope, commit: _Commit | None, status: Status, version: Version | None) -> SourceRead:
        """The working copy: what git knows or would add, as it is now."""
        from lockage.adapters.source_git.changed import ChangedCopy  # an unchanged one needs none

        copy = ChangedCopy(
            self._git, self._importer(), snapshot=self._snapshot, status=self._status_of, committed=partial(self._committed, None)
        )
        committed = self._committed(scope.tree, place, commit.oid) if commit else Tree(())
        tree = copy.read(place, committed, scope.tree, status)
        root, directories = tree.encode()
        self._blobs.put_many(directories.values())
        recipe, lock, pyproject = (_now(tree, scope.below(file), self._blobs) for file in _FILES)
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

    def _committed(self, path: RelPath | None, place: Place, oid: str) -> Tree:
        """The tree of a commit, remembered like any other."""
        name = asked(self._git, place.at, "rev-parse", f"{oid}^{{commit}}:{path}" if path else f"{oid}^{{tree}}")
        found = _Commit(oid=oid, date=ZIP_FLOOR, tree=name or "", files=(), shared=None, is_tag=False)
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


def _now(tree: Tree, name: str, blobs: Blobs) -> bytes | None:
    for node in tree:
        if node.path == name and isinstance(node, FileNode):
            return blobs.get(node.blob)
    return None


def _commit(asked: Running) -> _Commit | None:
    try:
        commit, tree, *files, shared, tag = look_up(asked, 4 + len(_FILES))
    except GitFailed as error:
        raise SourceUnusable(f"git cannot read the repository: {error.text}") from error
    if commit is None or commit.kind != "commit":
        return None
    return _Commit(
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


def _address(origin: Running) -> str | None:
    try:
        return public_address(origin.output().decode(errors="replace").strip())
    except GitFailed:
        return None
