"""Promote: a release onto a channel, judged on signed evidence alone. The ledger append is the promotion; a refusal is appended too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Conflict, Refused, Usage
from lockage.base.instant import Instant
from lockage.base.name import ChannelName
from lockage.catalog import name_conflicts
from lockage.catalog.model import ReleaseRecord
from lockage.evidence.facts import Evidence
from lockage.evidence.manifest import LedgerState, Manifest, ManifestArtifact, ManifestRelease, seal_manifest
from lockage.evidence.trust import Role
from lockage.ledger.entry import Conflicted, Entry, HoldSet, Promoted, PromotionKind
from lockage.ledger.entry import Refused as RefusedEntry
from lockage.policy.decision import Decision, decide, seal_decision
from lockage.policy.policy import Policy
from lockage.policy.proposal import Kind, Proposal, Standing, Stay
from lockage.ports import BlobCorrupt, BlobMissing, LedgerConflict
from lockage.record.release import Release
from lockage.work.book import Book, append_again
from lockage.work.release import NoRelease, find_release, read_release, release_title

if TYPE_CHECKING:
    from lockage.base.digest import Digest
    from lockage.base.name import ProjectName
    from lockage.work.services import Services

__all__ = ["Promotion", "judge_promotion", "promote", "roll_back"]

_TRIES = 10


class NoChannel(Usage):
    """A channel has no policy, so nothing can be promoted to it."""

    code = "no-channel"
    hint = "Name a channel that `lockage policy` lists, or give it a policy with `lockage policy apply`."


class PromotionRefused(Refused):
    """The policy of the channel says no; the refusal is in the ledger."""

    code = "promotion-refused"
    hint = "Meet the conditions listed, then promote again; `lockage why-not` judges without asking."


class NothingBefore(Refused):
    """The channel has held no other release of the project."""

    code = "nothing-before"
    hint = "Promote another release instead; `lockage history CHANNEL` shows what the channel held."


class PromotionConflict(Conflict):
    """The channel was changed by somebody else while this promotion was judged; nothing was changed by this one."""

    code = "promotion-conflict"


class NameTaken(Conflict):
    """A file name of the release was used on the channel for other bytes."""

    code = "name-taken"
    hint = "Release under another version; bytes never change under a name."


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: the channel's generation and the decision; ``changed`` is False if it held the release already."""

    record: ReleaseRecord
    channel: ChannelName
    generation: int
    changed: bool
    decision: Decision | None = None


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    record: ReleaseRecord
    release: Release
    policy: Policy
    decision: Decision


def promote(services: Services, text: str, channel: ChannelName, *, expect: int | None = None, reason: str = "") -> Promotion:
    """Promote a release; ``expect`` is the generation that the channel must have (default: the one it has now).

    Raises :class:`PromotionRefused`, :class:`PromotionConflict`, :class:`NameTaken`; each is recorded and changes no channel.
    """
    book = Book.open(services, make=False)
    return _put(services, book, find_release(book.catalog, text), channel, Kind.FORWARD, expect=expect, reason=reason)


def roll_back(services: Services, project: ProjectName, channel: ChannelName, *, to: str | None = None, reason: str = "") -> Promotion:
    """Put back the release that the channel held before, or the one named; sets a hold against automatic promotion.

    Raises :class:`NothingBefore`, NoRelease for a release of another project, and what :func:`promote` raises.
    """
    book = Book.open(services, make=False)
    if to is not None:
        record = find_release(book.catalog, to)
        if record.project != project:
            raise NoRelease(f"{release_title(record)} is no release of {project}", release=release_title(record), project=project)
    else:
        head = book.catalog.channel(project, channel)
        before = [
            change.release for change in book.catalog.history(project, channel) if head is not None and change.release != head.release
        ]
        found = book.catalog.release(before[-1]) if before else None
        if found is None:
            raise NothingBefore(f"{channel} has held no other release of {project}", channel=channel, project=project)
        record = found
    return _put(services, book, record, channel, Kind.ROLLBACK, expect=None, reason=reason)


def judge_promotion(services: Services, text: str, channel: ChannelName) -> Decision:
    """What the channel's policy says of a release now; nothing is recorded."""
    book = Book.open(services, make=False)
    return _judge(services, book, find_release(book.catalog, text), channel, Kind.FORWARD).decision


def _put(
    services: Services, book: Book, record: ReleaseRecord, channel: ChannelName, kind: Kind, *, expect: int | None, reason: str
) -> Promotion:
    expected = book.catalog.generation(record.project, channel) if expect is None else expect
    for _ in range(_TRIES):
        found = book.catalog.generation(record.project, channel)
        if found != expected:
            raise _conflict(services, book, record, channel, expected, found)
        head = book.catalog.channel(record.project, channel)
        if kind is Kind.FORWARD and head is not None and head.release == record.release:
            return Promotion(record=record, channel=channel, generation=head.generation, changed=False)
        case = _judge(services, book, record, channel, kind)
        _check_names(services, book, case, channel)
        try:
            generation = _decide(services, book, case, kind, reason)
        except LedgerConflict:
            book = Book.open(services, make=False)
            continue
        return Promotion(record=record, channel=channel, generation=generation, changed=True, decision=case.decision)
    raise PromotionConflict(f"{release_title(record)} was not promoted to {channel}: the ledger kept moving")


def _judge(services: Services, book: Book, record: ReleaseRecord, channel: ChannelName, kind: Kind) -> _Case:
    catalog = book.catalog
    digest = catalog.policy(channel)
    if digest is None:
        known = ", ".join(sorted(catalog.policies))
        raise NoChannel(f"there is no channel {channel!r}; those with a policy are {known}", channel=channel)
    policy = Policy.decode(_document(services, digest, f"the policy of {channel}"))
    release = read_release(services, record)
    proposal = Proposal.of(release, channel, catalog.generation(record.project, channel), kind)
    evidence = [
        Evidence(data=data, recorded=known.at)
        for known in catalog.evidence(*(artifact.sha256 for artifact in release.artifacts))
        if (data := _kept(services, known.bundle, f"the evidence of ledger entry {known.sequence}")) is not None
    ]
    now = max(services.clock.now(), catalog.time)
    decision = decide(proposal, policy, evidence, book.root, _standing(book, record), Instant(now))
    return _Case(record=record, release=release, policy=policy, decision=decision)


def _standing(book: Book, record: ReleaseRecord) -> Standing:
    """Where the release has been, and until when."""
    stays: list[Stay] = []
    for channel in sorted(book.catalog.policies):
        history = book.catalog.history(record.project, channel)
        for place, change in enumerate(history):
            if change.release == record.release:
                until = history[place + 1].at if place + 1 < len(history) else None
                stays.append(Stay(channel=channel, generation=change.generation, release=change.release, since=change.at, until=until))
    return Standing(stays=tuple(stays))


def _decide(services: Services, book: Book, case: _Case, kind: Kind, reason: str) -> int:
    """Record the decision: the promotion, or the refusal, which is raised."""
    record, decision = case.record, case.decision
    proposal = decision.proposal
    promoter = book.signer(Role.PROMOTER)
    kept = services.blobs.put(seal_decision(decision, promoter)).digest
    if not decision.verdict.passed:
        failed = tuple(result.gate for result in decision.verdict.gates if not result.passed)
        entry = RefusedEntry(
            actor=book.actor, project=record.project, channel=proposal.channel, release=record.release, decision=kept, reasons=failed
        )
        append_again(services, book, [entry])
        raise PromotionRefused(
            f"{release_title(record)} may not go to {proposal.channel}",
            reasons=decision.verdict.reasons,
            release=release_title(record),
            channel=proposal.channel,
        )
    manifest = _manifest(book, case, kept)
    sealed = services.blobs.put(seal_manifest(manifest, promoter)).digest
    drafts: list[Entry] = [
        Promoted(
            actor=book.actor,
            project=record.project,
            channel=proposal.channel,
            generation=manifest.generation,
            release=record.release,
            decision=kept,
            manifest=sealed,
            kind=PromotionKind.FORWARD if kind is Kind.FORWARD else PromotionKind.ROLLBACK,
            reason=reason,
        )
    ]
    if kind is Kind.ROLLBACK:
        drafts.append(HoldSet(actor=book.actor, project=record.project, channel=proposal.channel, reason=reason or "rolled back"))
    book.append(drafts)
    return manifest.generation


def _manifest(book: Book, case: _Case, decision: Digest) -> Manifest:
    proposal = case.decision.proposal
    head = book.catalog.channel(proposal.project, proposal.channel)
    return Manifest(
        project=proposal.project,
        channel=proposal.channel,
        generation=proposal.generation + 1,
        previous=head.manifest if head is not None else None,
        release=ManifestRelease(digest=proposal.release, version=proposal.version, build=proposal.build),
        artifacts=tuple(ManifestArtifact(name=a.name, sha256=a.sha256, size=a.size) for a in proposal.artifacts),
        decision=decision,
        issued=case.decision.now,
        ledger=LedgerState(origin=book.root.ledger.origin, size=book.head.size, checkpoint=book.head.checkpoint.decode()),
    )


def _check_names(services: Services, book: Book, case: _Case, channel: ChannelName) -> None:
    """Invariant 1: on a channel a file name means the same bytes for ever."""
    before = [known for digest in book.catalog.ever_on(channel, case.record.project) if (known := book.catalog.release(digest)) is not None]
    taken = name_conflicts((read_release(services, known) for known in before if known.release != case.record.release), case.release)
    if not taken:
        return
    first = taken[0]
    generation = case.decision.proposal.generation
    entry = Conflicted(
        actor=book.actor,
        project=case.record.project,
        channel=channel,
        release=case.record.release,
        expected=generation,
        found=generation,
        reason=f"name-taken: {first.name}",
    )
    append_again(services, book, [entry])
    raise NameTaken(
        f"{channel} has held other bytes under the name {first.name}",
        name=first.name,
        expected=first.taken,
        found=first.wanted,
        others=tuple(item.name for item in taken[1:6]),
    )


def _conflict(services: Services, book: Book, record: ReleaseRecord, channel: ChannelName, expected: int, found: int) -> PromotionConflict:
    entry = Conflicted(
        actor=book.actor,
        project=record.project,
        channel=channel,
        release=record.release,
        expected=expected,
        found=found,
        reason="head-moved",
    )
    append_again(services, book, [entry])
    return PromotionConflict(
        f"{channel} is at generation {found} of {record.project}, and generation {expected} was expected", expected=expected, found=found
    )


def _kept(services: Services, digest: Digest, what: str) -> bytes | None:
    ref = services.blobs.locate(digest)
    try:
        return None if ref is None else services.blobs.get(ref)
    except BlobCorrupt as error:
        raise error.naming(what) from error


def _document(services: Services, digest: Digest, what: str) -> bytes:
    data = _kept(services, digest, what)
    if data is None:
        raise BlobMissing(f"{what} is not in the store", sha256=digest)
    return data
