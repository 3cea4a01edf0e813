"""What of a store's blobs is needed: everything that the ledger and the records and results that stay lead to.

Invariant: too much is kept rather than too little. Documents are searched for whatever looks like a sha256, in base64 payloads as
well, so that a kind of document that nobody thought of here keeps alive what it names. Trees and actions, which are no text, are
followed by what they are. What cannot be read any more leads nowhere.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, walk
from lockage.ledger.entry import EvidenceRecorded, decode_entry
from lockage.plan.action import read_action
from lockage.record.release import Release
from lockage.record.source import SdistOrigin

if TYPE_CHECKING:
    from lockage.record.artifact import Run
    from lockage.record.result import ActionResult
    from lockage.record.source import Source
    from lockage.work.services import Services

__all__ = ["Reach"]

#: A longer document is no document of ours.
_LONGEST = 8 << 20
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{60,}={0,2}")


class Reach:
    """Blobs that are needed, gathered in ``digests``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.digests: set[Digest] = set()
        self._followed: set[BlobRef] = set()

    def ledger(self) -> None:
        """All that any entry of the ledger leads to. Raises LedgerCorrupt.

        Every build records evidence about what it made. Of evidence about what no other entry leads to, only the signed statement itself
        is needed, not what it speaks of.
        """
        if self._services.ledger.head() is None:
            return
        evidence: list[EvidenceRecorded] = []
        for data in self._services.ledger.entries():
            try:
                entry = decode_entry(data)
            except LockageError:  # another lockage wrote it
                entry = None
            if isinstance(entry, EvidenceRecorded):
                evidence.append(entry)
            else:
                self._text(data)
        for entry in evidence:
            if self.digests.isdisjoint(entry.subjects):
                self.digests.update((entry.bundle, entry.statement))
            else:
                self._document(entry.bundle)
                self._document(entry.statement)

    def run(self, run: Run, log: BlobRef) -> None:
        """All that a run was made from and gave."""
        self._blob(log)
        self._source(run.source)
        for artifact in run.artifacts:
            for blob in (artifact.blob, artifact.raw, artifact.report):
                self._blob(blob)
        for step in run.steps:
            self._tree(step.outputs)
            self._action(step.action)
            for printed in (step.log, *(attempt.log for attempt in step.attempts)):
                self._blob(printed)
        for again in run.reexecuted.steps if run.reexecuted is not None else ():
            self._tree(again.outputs)
            self._blob(again.log)
        for environment in run.environments.values():
            self._document(environment.digest)
        if run.recipe_document is not None:
            self._blob(run.recipe_document)
        self._document(run.lock)

    def lock(self, lock: Digest) -> None:
        """A lock, and all that it names."""
        self._document(lock)

    def result(self, result: ActionResult) -> None:
        """All that a kept result refers to."""
        self._blob(result.log)
        self._tree(result.outputs)

    def _blob(self, ref: BlobRef | None) -> None:
        if ref is not None:
            self.digests.add(ref.digest)

    def _source(self, source: Source) -> None:
        self._tree(source.tree)
        if isinstance(source.origin, SdistOrigin):
            self.digests.add(source.origin.sha256)

    def _tree(self, tree: BlobRef) -> None:
        waiting = [tree]
        while waiting:
            folder = waiting.pop()
            if folder in self._followed:
                continue
            self._followed.add(folder)
            self.digests.add(folder.digest)
            try:
                nodes = list(walk(self._services.blobs.get(folder)))
            except (LockageError, ValueError):
                continue
            waiting += [node for _, node in nodes if isinstance(node, BlobRef)]
            self.digests.update(node.blob.digest for _, node in nodes if isinstance(node, FileNode))

    def _action(self, ref: BlobRef) -> None:
        if ref in self._followed:
            return
        self._followed.add(ref)

        def get(part: BlobRef) -> bytes:
            self.digests.add(part.digest)
            return self._services.blobs.get(part)

        try:
            self._tree(read_action(ref, get).workspace)
        except (LockageError, ValueError):
            return

    def _document(self, digest: Digest) -> None:
        """A blob, and if it is a document, what it names."""
        if digest in self.digests:
            return
        ref = self._services.blobs.locate(digest)
        if ref is None:
            return
        self.digests.add(digest)
        if ref.size > _LONGEST:
            return
        try:
            data = self._services.blobs.get(ref)
        except LockageError:
            return
        if data[:1] not in (b"{", b"["):
            return
        self._text(data)
        try:
            self._source(Release.decode(data).source)
        except LockageError:
            return

    def _text(self, data: bytes) -> None:
        for found in _DIGEST.findall(data):
            self._document(Digest(found.decode()))
        for found in _BASE64.findall(data):
            try:
                inner = binascii.a2b_base64(found.replace(b"-", b"+").replace(b"_", b"/") + b"==")
            except binascii.Error:
                continue
            for digest in _DIGEST.findall(inner):
                self._document(Digest(digest.decode()))
