"""Contents of Git LFS: what a pointer stands for is looked up in the repository, checked, and never taken on trust.

A file is a pointer if it has the form of one and `.gitattributes` of the same commit says `filter=lfs`. One that has the form and of
which that is not said is refused: the mark may have been lost, and a build must not take the pointer for the file. `-filter` says
that the text itself is meant.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import listed
from lockage.adapters.source_git.place import Place, asked, folders
from lockage.adapters.source_git.pointer import parse_pointer
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.ports import ServiceUnreachable, SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockage.ports import Blobs

__all__ = ["LfsContents"]

_DAMAGED = "Remove the damaged file and fetch it again, or build from an sdist that holds the contents."


class _Wanted(msgspec.Struct, frozen=True):
    """A pointer and where it is: ``path`` in its repository."""

    path: RelPath
    ref: BlobRef


class LfsContents:
    """Finds the contents of one repository's pointers; ``commit`` None is the working copy."""

    def __init__(self, git: Git, place: Place, blobs: Blobs, commit: str | None) -> None:
        self._git = git
        self._place = place
        self._blobs = blobs
        self._commit = commit

    def contents(self, pointers: Mapping[RelPath, bytes], attributes: Mapping[RelPath, bytes]) -> dict[RelPath, BlobRef]:
        """What stands in the place of which pointer, in the blobs. Paths are whole ones of the repository, as its ``.gitattributes`` are.

        Raises :class:`SourceUnusable` with the paths of pointers that are unmarked, unreadable, or without contents here.
        """
        filters = self._filters(attributes, tuple(pointers))
        unmarked = [path for path in pointers if filters[path] not in ("lfs", "unset")]
        if unmarked:
            raise SourceUnusable(
                f"files have the form of Git LFS pointers, but .gitattributes does not mark them: {self._listed(unmarked)}",
                paths=self._shown(unmarked),
                hint="Mark them with `git lfs track PATH`; or write `PATH -filter` in .gitattributes if the text itself is meant.",
            )
        wanted: list[_Wanted] = []
        bad: list[RelPath] = []
        for path, data in pointers.items():
            if filters[path] != "lfs":
                continue
            ref = parse_pointer(data)
            if ref is None:
                bad.append(path)
            else:
                wanted.append(_Wanted(path, ref))
        if bad:
            raise SourceUnusable(
                f"Git LFS pointers cannot be read: {self._listed(bad)}",
                paths=self._shown(bad),
                hint="Commit the files anew with Git LFS, without extensions.",
            )
        missing = self._missing(wanted)
        if missing and self._place.remote is not None:
            self._fetch(missing)
            missing = self._missing(missing)
        if missing:
            raise self._absent(missing)
        return {one.path: one.ref for one in wanted}

    def _missing(self, wanted: Sequence[_Wanted]) -> list[_Wanted]:
        """Those whose contents are neither in the blobs nor in the repository; what is there is in the blobs afterwards."""
        absent = [one for one in wanted if not self._blobs.has(one.ref)]
        if not absent:
            return []
        places = tuple(self._storage())
        return [one for one in absent if not any(self._kept(place, one) for place in places)]

    def _storage(self) -> Iterator[Path]:
        """Folders of contents: git-lfs's own, and those of repositories that this one borrows objects from (git-lfs(1), "lfs.storage")."""
        *_, common = folders(self._git, self._place.at)
        running = self._git.network(self._place.at, ("config", "--type=path", "--get", "lfs.storage"), {})
        with ending(running):
            try:
                yield common / running.output().decode(errors="surrogateescape").removesuffix("\n") / "objects"
            except GitFailed:
                yield common / "lfs" / "objects"
        try:
            alternates = (common / "objects/info/alternates").read_text(errors="surrogateescape")
        except OSError:
            return
        for line in alternates.splitlines():
            yield (common / "objects" / line).parent / "lfs" / "objects"

    def _kept(self, place: Path, one: _Wanted) -> bool:
        digest = one.ref.digest
        try:
            with (place / digest[:2] / digest[2:4] / digest).open("rb") as stream:
                found = BlobRef(Digest.of_file(stream), stream.tell())
                if found == one.ref:
                    stream.seek(0)
                    return self._blobs.put_stream(stream) == one.ref
        except OSError:
            return False
        raise SourceUnusable(
            f"the contents that Git LFS keeps for {self._place.shown(one.path)} are not what its pointer says",
            path=self._place.shown(one.path),
            file=stream.name,
            expected=str(one.ref),
            found=str(found),
            hint=_DAMAGED,
        )

    def _fetch(self, missing: Sequence[_Wanted]) -> None:
        """Let git-lfs bring the contents into our copy of the repository."""
        from lockage.adapters.source_git.remote import settings, without_secrets  # only where something is fetched

        remote = self._place.remote
        assert remote is not None
        assert self._commit is not None
        if asked(self._git, self._place.at, "lfs", "version") is None:
            paths = [one.path for one in missing]
            raise SourceUnusable(
                f"git-lfs is not installed, so {remote.public} cannot be asked for the contents of: {self._listed(paths)}",
                program="git-lfs",
                paths=self._shown(paths),
                hint="Install git-lfs, or build in a clone that has the files.",
            )
        running = self._git.network(self._place.at, ("lfs", "fetch", "lockage", self._commit), settings(remote))
        with ending(running):
            try:
                running.output()
            except GitFailed as error:
                raise ServiceUnreachable(
                    f"git-lfs could not fetch from {remote.public}: {without_secrets(remote, error.text)[-200:]}",
                    repository=remote.public,
                    hint="Check the server, the network and your credentials for it, then run the command again.",
                ) from error

    def _absent(self, missing: Sequence[_Wanted]) -> SourceUnusable:
        paths = [one.path for one in missing]
        if self._place.remote is not None:
            hint = "The server does not have them: push them there with `git lfs push --all origin` from a clone that does."
        elif self._place.top is not None:
            hint = f"Run `git -C {shlex.quote(str(self._place.top))} lfs pull`, then this command again."
            if self._commit is not None:
                hint = hint[:-1] + f"; for another commit than the checked-out one `git lfs fetch origin {self._commit[:12]}`."
        else:
            hint = f"Run `git -C {shlex.quote(str(self._place.at))} lfs fetch --all`, then this command again."
        return SourceUnusable(
            f"files are Git LFS pointers whose contents are not in the repository: {self._listed(paths)}",
            paths=self._shown(paths),
            hint=hint,
        )

    def _shown(self, paths: Sequence[RelPath]) -> tuple[str, ...]:
        return tuple(str(self._place.shown(path)) for path in paths)

    def _listed(self, paths: Sequence[RelPath]) -> str:
        return listed(self._shown(paths))

    def _filters(self, attributes: Mapping[RelPath, bytes], paths: Sequence[RelPath]) -> dict[RelPath, str]:
        """The attribute ``filter`` of each path, as git reads these ``.gitattributes`` and no other file of this machine."""
        from tempfile import TemporaryDirectory  # slow to import; only a source with pointers comes here

        with TemporaryDirectory(prefix="lockage-attributes-") as name:
            folder = Path(name) / "top"
            folder.mkdir()
            for path, data in attributes.items():
                if ".git" in path.lower().split("/"):
                    continue  # no working copy has such a file
                file = folder / path
                try:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data)
                except OSError as error:
                    raise SourceUnusable(f"cannot put {path} into a temporary folder: {error.strerror}", path=path) from error
            names = b"".join(path.encode() + b"\0" for path in paths)
            try:
                self._answer(folder, ("init", "--quiet", "--template=", "."))
                question = ("-c", "core.attributesFile=/dev/null", "check-attr", "-z", "--stdin", "filter")
                answer = self._answer(folder, question, names)
            except GitFailed as error:
                raise SourceUnusable(f"git cannot read .gitattributes: {error.text}") from error
        values = answer.split(b"\0")
        return {path: values[3 * number + 2].decode(errors="replace") for number, path in enumerate(paths)}

    def _answer(self, folder: Path, arguments: Sequence[str], feed: bytes = b"") -> bytes:
        running = self._git.objects(folder, arguments, feed)
        with ending(running):
            return running.output()
