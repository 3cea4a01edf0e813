"""Diff: two things of a store, or one of them and a file, as sides that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.compare.forms import archive_name
from lockage.compare.side import FileSide, SetSide
from lockage.stabilize.model import MemberKind
from lockage.work.book import Book, NoStore
from lockage.work.release import NoRelease, find_release, read_release, release_title

if TYPE_CHECKING:
    from lockage.compare.side import Side
    from lockage.ports import Blobs
    from lockage.record.release import Release
    from lockage.work.services import Services

__all__ = ["NothingToCompare", "StoredFile", "stored_side"]

_LOCK = "lockage.lock"


class NothingToCompare(Usage):
    """What was named is no file, no folder, no release and no artifact."""

    code = "nothing-to-compare"
    hint = "Name a file, a folder, a release (PROJECT@VERSION-BUILD), a file of it (RELEASE/NAME) or the sha256 of an artifact."


class StoredFile:
    """A file of a release as a member: its digest is its packing, so that equal files are not read."""

    __slots__ = ("_blobs", "_ref", "packing", "path", "size")
    kind = MemberKind.FILE
    executable = False
    target: str | None = None

    def __init__(self, path: str, ref: BlobRef, blobs: Blobs) -> None:
        self.path, self._ref, self._blobs = path, ref, blobs
        self.size, self.packing = ref.size, f"sha256 {ref.digest}"

    def packed(self) -> bytes:
        return b""

    def read(self) -> bytes:
        return self._blobs.get(self._ref)

    def fields(self) -> dict[str, str]:
        return {}


def stored_side(services: Services, text: str) -> Side:
    """The release, the file of a release or the artifact that ``text`` names.

    Raises :class:`NothingToCompare`, and what blobs raise.
    """
    title, _, name = text.removeprefix("sha256:").partition("/")
    try:
        record = find_release(Book.open(services, make=False).catalog, title)
    except (NoRelease, NoStore) as error:
        ref = _artifact(services, title)
        if ref is not None and not name:
            data = services.blobs.get(ref)
            return FileSide(title=text, name=archive_name(title[:12], data) or title[:12], data=data)
        raise NothingToCompare(f"there is no file or folder {text!r}, and {error.message}", name=text) from error
    release = read_release(services, record)
    if not name:
        return _release_side(services, release, release_title(record))
    found = next((artifact for artifact in release.artifacts if name in (artifact.name, artifact.built_name)), None)
    if found is None:
        known = ", ".join(artifact.name for artifact in release.artifacts)
        raise NothingToCompare(f"{title} has no file {name!r}; it has {known}", name=text)
    return FileSide(title=text, name=found.name, data=services.blobs.get(found.ref))


def _artifact(services: Services, text: str) -> BlobRef | None:
    try:
        return services.blobs.locate(Digest(text))
    except ValueError:
        return None


def _release_side(services: Services, release: Release, title: str) -> SetSide:
    """A release's artifacts by published name, and its lock; paired with another version's by their names without the version."""
    members = [StoredFile(artifact.name, artifact.ref, services.blobs) for artifact in release.artifacts]
    lock = services.blobs.locate(release.lock)
    if lock is not None:
        members.append(StoredFile(_LOCK, lock, services.blobs))
    source = release.source
    fields = {
        "version": str(release.version),
        "source": str(source.tree.digest),
        "date of the source": str(source.date),
        "origin": canonical_of(source.origin).decode(),
        "recipe": str(release.recipe),
        "lock": str(release.lock),
    }

    def key(path: str) -> str:
        return path.replace(f"{release.version}-{release.build}", "*").replace(str(release.version), "*")

    return SetSide(title=title, members=sorted(members, key=lambda member: member.path), fields=fields, key=key)
