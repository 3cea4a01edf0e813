"""Evidence as a user looks at it: every statement about a release, verified now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.instant import Instant
from lockage.evidence.facts import Evidence, ProvenanceFact, Rejected, ReproductionFact, TestFact, verify_evidence
from lockage.work.book import Book
from lockage.work.release import find_release, read_release

if TYPE_CHECKING:
    from lockage.evidence.facts import Fact
    from lockage.work.services import Services

__all__ = ["ListedEvidence", "evidence_of"]


class ListedEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle: when the ledger received it, what kind it is, what it says, and whether it counts."""

    bundle: BlobRef
    recorded: Instant
    kind: str
    counts: bool
    says: str


def evidence_of(services: Services, text: str) -> tuple[ListedEvidence, ...]:
    """All evidence about the artifacts of a release, oldest first."""
    book = Book.open(services, make=False)
    release = read_release(services, find_release(book.catalog, text))
    about = frozenset(artifact.sha256 for artifact in release.artifacts)
    found = []
    for record in book.catalog.evidence(*about):
        ref = services.blobs.locate(record.bundle)
        if ref is None:
            continue  # counts as absent; a gate says so where it is missed
        evidence = Evidence(data=services.blobs.get(ref), recorded=record.at)
        fact = verify_evidence(evidence, book.root, now=services.clock.now(), about=about)
        counts = not isinstance(fact, Rejected)
        kind = record.predicate.rpartition("://")[2]
        found.append(ListedEvidence(bundle=ref, recorded=record.at, kind=kind, counts=counts, says=_says(fact)))
    return tuple(found)


def _says(fact: Fact | Rejected) -> str:
    match fact:
        case Rejected():
            return f"not counted: {fact.reason}"
        case ProvenanceFact():
            return f"built by {fact.principal} (SLSA build level {fact.level})"
        case TestFact():
            return f"tests {fact.result}: {', '.join(fact.passed) or 'none declared'} ({fact.principal})"
        case ReproductionFact():
            return f"{fact.claim}: {fact.grade}, {len(fact.axes)} axes varied ({fact.principal})"
