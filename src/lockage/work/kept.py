"""What the blobs of a store are for, as far as its releases, runs and locks tell; and how each could be had again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import Lock
from lockage.record.release import Release
from lockage.record.source import CommitOrigin, SdistOrigin
from lockage.work.book import Book
from lockage.work.release import release_title

if TYPE_CHECKING:
    from lockage.base.digest import BlobRef, Digest
    from lockage.catalog import Catalog
    from lockage.environment.lock import LockedEnvironment
    from lockage.record.artifact import Run
    from lockage.record.source import Source
    from lockage.work.services import Services

__all__ = ["Keeping"]

_RESTORE = "restore it from a copy of the store: it cannot be made again"
_BUILD = "`lockage build` {} makes it again"
_FETCH = "`lockage env fetch` in a project whose lock names it gets it again"
_UNKNOWN = "nothing that this store still knows of names it; a command that needs it says so, and reads, fetches or builds it again"


class Keeping:
    """Uses of blobs by digest. ``lasting`` are those that releases, evidence and policies need, in the ledger's order.

    What cannot be read any more explains nothing: the blobs that it would have named are then only less well described.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.lasting: dict[Digest, list[str]] = {}
        self._uses: dict[Digest, list[str]] = {}
        self._remedies: dict[Digest, str] = {}
        with suppress(LockageError):  # no ledger, or one whose fault is told by who checks it
            self._releases(Book.open(services, make=False).catalog)
        self._runs_read = False

    def uses(self, digest: Digest) -> list[str]:
        """What a blob is for; empty if nothing says."""
        self._read_runs()
        return self._uses.get(digest, [])

    def remedy(self, digest: Digest) -> str:
        """What brings it back."""
        self._read_runs()
        return self._remedies.get(digest, _UNKNOWN)

    def _read_runs(self) -> None:
        """Take in what runs tell, once, and only if something is asked: there may be thousands."""
        if not self._runs_read:
            self._runs_read = True
            for run_id in self._services.runs.ids():
                kept = self._services.runs.get(run_id)
                if kept is not None:
                    self._run(run_id, *kept)

    def _note(self, digest: Digest, use: str, remedy: str, *, lasts: bool = False) -> None:
        known = self._uses.setdefault(digest, [])
        if use not in known:
            known.append(use)
        self._remedies.setdefault(digest, remedy)
        if lasts:
            self.lasting[digest] = known

    def _releases(self, catalog: Catalog) -> None:
        for channel, policy in catalog.policies.items():
            self._note(policy, f"the policy of {channel}", "`lockage policy apply` with the same file brings it back", lasts=True)
        for project in catalog.projects:
            for record in catalog.releases(project):
                title = release_title(record)
                self._note(record.release, f"the document of {title}", _RESTORE, lasts=True)
                self._note(record.lock, f"the lock of {title}", _RESTORE, lasts=True)
                document = self._get(record.release)
                try:
                    release = Release.decode(document) if document is not None else None
                    lock = Lock.decode(data) if (data := self._get(record.lock)) is not None else None
                except LockageError:
                    continue  # other bytes are told as damage of their blob
                if release is not None:
                    again = _BUILD.format(_of(release.source))
                    for artifact in release.artifacts:
                        self._note(artifact.sha256, f"{artifact.name} of {title}", again, lasts=True)
                        for evidence in catalog.evidence(artifact.sha256):
                            self._note(evidence.bundle, f"evidence about {title} ({evidence.predicate})", _RESTORE, lasts=True)
                for environment in lock.environments.values() if lock is not None else ():
                    self._environment(environment)

    def _environment(self, environment: LockedEnvironment) -> None:
        for package in (*environment.packages, *environment.instruments):
            self._note(package.sha256, f"the package {package.name} {package.version}", _FETCH)
        image = environment.pulled
        for what, ref in image.parts if image is not None else ():
            self._note(ref.digest, f"{what} of the image {image.name if image is not None else ''}", _FETCH)
        for wheel in environment.python:
            self._note(wheel.sha256, f"the wheel {wheel.file}", _FETCH)
        for sdist in environment.sdists:
            self._note(sdist.sha256, f"the sdist {sdist.file}", _FETCH)
        for builder in environment.builders.values():
            self._environment(builder)

    def _run(self, run_id: str, run: Run, log: BlobRef) -> None:
        again = _BUILD.format(_of(run.source))
        self._note(log.digest, f"the log of {run_id}", again)
        for artifact in run.artifacts:
            self._note(artifact.blob.digest, f"{artifact.name} of {run_id}", again)
            self._note(artifact.raw.digest, f"{artifact.name} of {run_id}, as the step wrote it", again)
            if artifact.report is not None:
                self._note(artifact.report.digest, f"what the passes changed in {artifact.name} of {run_id}", again)
        for step in run.steps:
            for log in (step.log, *(attempt.log for attempt in step.attempts)):
                self._note(log.digest, f"the log of step {step.step} of {run_id}", again)
            self._tree(step.outputs, f"the outputs of step {step.step} of {run_id}", again)
            self._note(step.action.digest, f"the action of step {step.step} of {run_id}", again)
        for name, environment in run.environments.items():
            self._note(environment.digest, f"what environment {name} of {run_id} was locked to", again)
        if run.recipe_document is not None:
            self._note(run.recipe_document.digest, f"the recipe of {run_id}", again)
        self._tree(run.source.tree, f"the source of {run_id}", again)

    def _tree(self, tree: BlobRef, what: str, again: str) -> None:
        """A tree and its files. Reading it costs little: trees that several runs share are read once."""
        seen = tree.digest in self._uses
        self._note(tree.digest, what, again)
        if seen or not self._services.blobs.has(tree):
            return
        try:
            for node in read_tree(tree, self._services.blobs.get):
                if isinstance(node, FileNode):
                    self._note(node.blob.digest, f"{node.path} in {what}", again)
        except LockageError:
            return  # a folder in it is gone, and with it the names below

    def _get(self, digest: Digest) -> bytes | None:
        ref = self._services.blobs.locate(digest)
        try:
            return None if ref is None else self._services.blobs.get(ref)
        except LockageError:
            return None


def _of(source: Source) -> str:
    """Where a source can be found again."""
    origin = source.origin
    if isinstance(origin, CommitOrigin):
        return f"of commit {origin.commit[:12]}" + (f" of {origin.repository}" if origin.repository else "")
    if isinstance(origin, SdistOrigin):
        return f"of {origin.file}"
    return "in the same directory"
