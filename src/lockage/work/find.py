"""Find: what of a store somebody means by a few characters: a run, an artifact, a release or an action.

Invariant: what could be two things is refused, with both named; nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError, Usage
from lockage.base.name import StepName
from lockage.catalog.model import ReleaseRecord
from lockage.record.artifact import Artifact, Run
from lockage.record.release import ReleaseArtifact
from lockage.work.book import Book
from lockage.work.release import NoRelease, find_release, read_release, release_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockage.catalog import Catalog
    from lockage.work.services import Services

__all__ = ["AmbiguousId", "Finder", "Found", "FoundAction", "FoundArtifact", "FoundRelease", "FoundRun", "Made", "NothingFound", "Released"]

#: How many runs are looked through, from the newest on.
_RUNS = 200
#: Fewer digits of a digest say too little.
_LEAST = 8
_MOST_TOLD = 10


class NothingFound(Usage):
    """Nothing in the store has this id or name."""

    code = "nothing-found"
    hint = "Name a run, a release, the file or sha256 of an artifact, or the digest of an action (at least 8 digits of it)."


class AmbiguousId(Usage):
    """Several things in the store have this name, or digests that begin so."""

    code = "ambiguous-id"
    hint = "Give more digits, or the whole name of one of those listed."


class FoundRun(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a run, and its canonical log."""

    run_id: str
    run: Run
    log: BlobRef


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A run that delivered an artifact."""

    run_id: str
    run: Run
    artifact: Artifact


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """A release that an artifact is part of."""

    record: ReleaseRecord
    artifact: ReleaseArtifact


class FoundArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact: the runs that delivered just these bytes, the newest first, and the releases that hold them."""

    digest: Digest
    made: tuple[Made, ...]
    released: tuple[Released, ...]

    @property
    def name(self) -> str:
        """Its published name, else its built one."""
        return self.released[-1].artifact.name if self.released else self.made[0].artifact.name


class FoundRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A closed release."""

    record: ReleaseRecord


class FoundAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action, and the steps of runs that had it, the newest first."""

    action: BlobRef
    steps: tuple[tuple[str, StepName], ...]


Found = FoundRun | FoundArtifact | FoundRelease | FoundAction


class Finder:
    """Looks things up in one store; runs and releases are read once, when they are first asked for."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._runs: list[tuple[str, Run]] | None = None
        self._catalog: Catalog | None = None
        self._catalog_read = False
        self._documents: dict[Digest, tuple[ReleaseArtifact, ...]] = {}

    @property
    def catalog(self) -> Catalog | None:
        """The store's catalog; None if it has no ledger, or none that can be believed."""
        if not self._catalog_read:
            self._catalog_read = True
            try:
                self._catalog = Book.open(self._services, make=False).catalog
            except LockageError:
                self._catalog = None  # then it knows of runs all the same
        return self._catalog

    def find(self, text: str) -> Found:
        """The one thing that is meant. Raises :class:`NothingFound`, :class:`AmbiguousId`."""
        run = self.run(text)
        if run is not None:
            return run
        found = list(self._by_digest(text) if _is_prefix(text) else ())
        if not found:
            release, file = self._release(text), self._file_of_release(text)
            found = [release] if release is not None else [file] if file is not None else list(self._by_name(text))
        if len(found) > 1:
            told = tuple(self._title(one) for one in found)
            shown = ", ".join(told[:_MOST_TOLD]) + (f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else "")
            raise AmbiguousId(f"{text!r} may mean {shown}", found=told)
        if not found:
            raise NothingFound(f"nothing in this store is called {text!r}", hint=self._suggestion(text), id=text)
        return found[0]

    def run(self, text: str) -> FoundRun | None:
        """A run by its id, by the number in it, or the newest as ``latest``. Raises :class:`NothingFound` for an id of no run."""
        run_id = self._services.runs.latest() if text == "latest" else f"run-{int(text):06d}" if _is_number(text) else text
        kept = self._services.runs.get(run_id) if run_id is not None else None
        if kept is not None and run_id is not None:
            return FoundRun(run_id=run_id, run=kept[0], log=kept[1])
        if text == "latest" or text.startswith("run-"):
            there = self._services.runs.recent(3)
            told = f"the newest are {', '.join(there)}" if there else "a build or test records one"
            raise NothingFound(f"there is no run {'yet' if text == 'latest' else text}; {told}", runs=there)
        return None

    def artifact(self, digest: Digest) -> FoundArtifact | None:
        """An artifact by its whole digest; None if the store knows of none."""
        made = tuple(
            Made(run_id=run_id, run=run, artifact=one) for run_id, run in self.runs() for one in run.artifacts if one.blob.digest == digest
        )
        released = tuple(
            Released(record=record, artifact=one) for record in self._releases() for one in self._artifacts(record) if one.sha256 == digest
        )
        return FoundArtifact(digest=digest, made=made, released=released) if made or released else None

    def runs(self) -> list[tuple[str, Run]]:
        """The last runs, the newest first."""
        if self._runs is None:
            read = ((run_id, self._services.runs.get(run_id)) for run_id in self._services.runs.recent(_RUNS))
            self._runs = [(run_id, kept[0]) for run_id, kept in read if kept is not None]
        return self._runs

    def _releases(self) -> Iterator[ReleaseRecord]:
        if self.catalog is not None:
            for project in self.catalog.projects:
                yield from self.catalog.releases(project)

    def _artifacts(self, record: ReleaseRecord) -> tuple[ReleaseArtifact, ...]:
        if record.release not in self._documents:
            try:
                self._documents[record.release] = read_release(self._services, record).artifacts
            except LockageError:
                self._documents[record.release] = ()  # the document is not kept, which `lockage store check` tells
        return self._documents[record.release]

    def _by_digest(self, prefix: str) -> Iterator[Found]:
        """Everything whose digest begins so."""
        yield from (FoundRelease(record=record) for record in self._releases() if record.release.startswith(prefix))
        digests = {one.blob.digest for _, run in self.runs() for one in run.artifacts}
        digests |= {one.sha256 for record in self._releases() for one in self._artifacts(record)}
        yield from self._known(digest for digest in sorted(digests) if digest.startswith(prefix))
        actions: dict[BlobRef, list[tuple[str, StepName]]] = {}
        for run_id, run in self.runs():
            for step in run.steps:
                if step.action.digest.startswith(prefix):
                    actions.setdefault(step.action, []).append((run_id, step.step))
        yield from (FoundAction(action=action, steps=tuple(steps)) for action, steps in sorted(actions.items()))

    def _known(self, digests: Iterable[Digest]) -> Iterator[FoundArtifact]:
        yield from (found for digest in digests if (found := self.artifact(digest)) is not None)

    def _release(self, text: str) -> FoundRelease | None:
        if self.catalog is None:
            return None
        try:
            return FoundRelease(record=find_release(self.catalog, text))
        except NoRelease:
            if text.partition("@")[0] in self.catalog.projects:
                raise
            return None

    def _file_of_release(self, text: str) -> FoundArtifact | None:
        """The file of a release that RELEASE/NAME means."""
        title, slash, name = text.rpartition("/")
        release = self._release(title) if slash else None
        for one in self._artifacts(release.record) if release is not None else ():
            if one.name == name:
                return self.artifact(one.sha256)
        return None

    def _by_name(self, name: str) -> Iterator[FoundArtifact]:
        digests = [one.sha256 for record in self._releases() for one in self._artifacts(record) if name in (one.name, one.built_name)]
        digests += [one.blob.digest for _, run in self.runs() for one in run.artifacts if one.name == name]
        yield from self._known(dict.fromkeys(digests))

    def _title(self, found: Found) -> str:
        match found:
            case FoundRun():
                return found.run_id
            case FoundRelease():
                return f"release {release_title(found.record)} ({found.record.release[:12]})"
            case FoundArtifact():
                return f"artifact {found.name} ({found.digest[:12]}{f', {found.made[0].run_id}' if found.made else ''})"
            case FoundAction():
                return f"action {found.action.digest[:12]} of step {found.steps[0][1]}"

    def _suggestion(self, text: str) -> str:
        """The hint, with the names that are nearly this one."""
        from difflib import get_close_matches  # only on the way to an error

        names = [*self._services.runs.recent(20), *(release_title(record) for record in self._releases())]
        names += [one.name for _, run in self.runs() for one in run.artifacts]
        near = get_close_matches(text, dict.fromkeys(names), 3)
        return f"Did you mean {' or '.join(near)}? {NothingFound.hint}" if near else NothingFound.hint


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _LEAST


def _is_prefix(text: str) -> bool:
    return _LEAST <= len(text) <= 64 and all(character in "0123456789abcdef" for character in text)
