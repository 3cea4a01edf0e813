"""The fold of the ledger's entries into releases, channels, history, holds, policies and an index of evidence.

Invariants: the catalog is a function of the entries alone, in their order; entries that contradict those before them (a
generation left out, a release that was never closed) are a damaged ledger, not a state; an entry of an unknown type stops
the fold. Applying an entry costs the same however long the history is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName, Version
from lockage.catalog.model import Attempt, AttemptKind, Change, ChannelHead, EvidenceRecord, Hold, ReleaseRecord, ReleaseState
from lockage.ledger.checkpoint import open_checkpoint
from lockage.ledger.entry import (
    Conflicted,
    Entry,
    EvidenceRecorded,
    HoldReleased,
    HoldSet,
    PolicySet,
    Promoted,
    PromotionKind,
    Refused,
    ReleaseClosed,
    StoreCreated,
    TrustRootSet,
    decode_entry,
)
from lockage.ledger.errors import LedgerCorrupt
from lockage.ledger.merkle import extend, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.base.digest import Digest
    from lockage.ledger.merkle import Edge
    from lockage.ledger.note import VerifierKey

__all__ = ["Catalog"]

_Place = tuple[ProjectName, ChannelName]


class Catalog:
    """The state of a store after ``size`` entries, the last of them at ``time``."""

    def __init__(self) -> None:
        self.size = 0
        self.time = Instant(0)
        self.origin: str | None = None
        self.trust_root: Digest | None = None
        self._releases: dict[Digest, ReleaseRecord] = {}
        self._builds: dict[tuple[ProjectName, Version], list[ReleaseRecord]] = {}
        self._projects: dict[ProjectName, list[ReleaseRecord]] = {}
        self._changes: dict[_Place, list[Change]] = {}
        self._heads: dict[_Place, ChannelHead] = {}
        self._held: dict[_Place, dict[Digest, None]] = {}
        self._attempts: dict[_Place, list[Attempt]] = {}
        self._holds: dict[_Place, Hold] = {}
        self._policies: dict[ChannelName, Digest] = {}
        self._evidence: dict[Digest, list[EvidenceRecord]] = {}

    @classmethod
    def fold(cls, entries: Iterable[bytes], *, strict: bool = False) -> Catalog:
        """The catalog of a whole ledger; see :meth:`apply`. ``strict`` also checks that every entry is in canonical form."""
        found = cls()
        for data in entries:
            found.apply(decode_entry(data, strict=strict))
        return found

    @classmethod
    def of_ledger(cls, entries: Iterable[bytes], checkpoint: bytes, keys: Sequence[VerifierKey]) -> Catalog:
        """The catalog of a ledger whose entries are proven to be those that the signed checkpoint speaks of.

        This is the one to decide on: the tree is computed again from the entries. Raises :class:`LedgerCorrupt`,
        :class:`InvalidCheckpoint`, :class:`UnknownEntry`, :class:`InvalidEntry`.
        """
        signed = open_checkpoint(checkpoint, keys)
        found = cls()
        edge: Edge = ()
        for data in entries:
            edge, _ = extend(edge, found.size, (data,))
            found.apply(decode_entry(data, strict=False))
        root = root_of(edge)
        if found.size != signed.size or root != signed.root or (found.size and found.origin != signed.origin):
            raise LedgerCorrupt(
                f"{found.size} entries have the root {root.hex()}, {signed.origin} has signed {signed.size} with {signed.root.hex()}",
                hint="Find the first damaged entry with `lockage ledger verify`, and restore the ledger from a copy you trust.",
                expected=signed.root.hex(),
                found=root.hex(),
            )
        return found

    def apply(self, entry: Entry) -> None:
        """Take the next entry in. Raises :class:`LedgerCorrupt` if it cannot follow on those before it, and is then not to be used."""
        if entry.sequence != self.size or entry.at < self.time or isinstance(entry, StoreCreated) != (self.size == 0):
            raise _contradiction(entry, f"cannot follow on {self.size} entries up to {self.time}")
        match entry:
            case ReleaseClosed():
                self._close(entry)
            case EvidenceRecorded():
                self._record(entry)
            case Promoted():
                self._promote(entry)
            case Refused() | Conflicted():
                self._attempt(entry)
            case HoldSet():
                hold = Hold(reason=entry.reason, at=entry.at, actor=entry.actor, sequence=entry.sequence)
                self._holds[entry.project, entry.channel] = hold
            case HoldReleased():
                self._holds.pop((entry.project, entry.channel), None)
            case PolicySet():
                self._policies[entry.channel] = entry.policy
            case TrustRootSet():
                self.trust_root = entry.trust_root
            case StoreCreated():
                self.origin, self.trust_root = entry.origin, entry.trust_root
        self.size, self.time = entry.sequence + 1, entry.at

    def _close(self, entry: ReleaseClosed) -> None:
        if entry.build != self.next_build(entry.project, entry.version) or entry.release in self._releases:
            raise _contradiction(entry, f"closes build {entry.build} of {entry.project} {entry.version} out of order or twice")
        if self.same_artifacts(entry.project, entry.version, entry.artifacts) is not None:
            raise _contradiction(entry, f"closes the artifacts of another build of {entry.project} {entry.version} again")
        record = ReleaseRecord(
            project=entry.project,
            version=entry.version,
            build=entry.build,
            release=entry.release,
            artifacts=entry.artifacts,
            source=entry.source,
            lock=entry.lock,
            state=ReleaseState.CLOSED,
            at=entry.at,
            actor=entry.actor,
            sequence=entry.sequence,
        )
        self._releases[entry.release] = record
        self._builds.setdefault((entry.project, entry.version), []).append(record)
        self._projects.setdefault(entry.project, []).append(record)

    def _record(self, entry: EvidenceRecorded) -> None:
        record = EvidenceRecord(
            statement=entry.statement,
            predicate=entry.predicate,
            bundle=entry.bundle,
            at=entry.at,
            actor=entry.actor,
            sequence=entry.sequence,
        )
        for subject in entry.subjects:
            self._evidence.setdefault(subject, []).append(record)

    def _promote(self, entry: Promoted) -> None:
        place = (entry.project, entry.channel)
        release = self._releases.get(entry.release)
        held = self._held.setdefault(place, {})
        if release is None or release.project != entry.project:
            raise _contradiction(entry, f"promotes {entry.release}, which is no release of {entry.project}")
        if entry.generation != self.generation(entry.project, entry.channel) + 1:
            raise _contradiction(entry, f"makes generation {entry.generation} of {entry.channel}")
        if entry.kind is PromotionKind.ROLLBACK and entry.release not in held:
            raise _contradiction(entry, f"rolls {entry.channel} back to {entry.release}, which it never held")
        before = self._heads.get(place)
        since = before.since if before is not None and before.release == entry.release else entry.at
        self._heads[place] = ChannelHead(
            project=entry.project,
            channel=entry.channel,
            generation=entry.generation,
            release=entry.release,
            since=since,
            decision=entry.decision,
            manifest=entry.manifest,
        )
        held[entry.release] = None
        self._changes.setdefault(place, []).append(
            Change(
                generation=entry.generation,
                release=entry.release,
                kind=entry.kind,
                at=entry.at,
                actor=entry.actor,
                reason=entry.reason,
                decision=entry.decision,
                manifest=entry.manifest,
                sequence=entry.sequence,
            )
        )

    def _attempt(self, entry: Refused | Conflicted) -> None:
        refused = isinstance(entry, Refused)
        self._attempts.setdefault((entry.project, entry.channel), []).append(
            Attempt(
                kind=AttemptKind.REFUSED if refused else AttemptKind.CONFLICTED,
                release=entry.release,
                at=entry.at,
                actor=entry.actor,
                reasons=entry.reasons if isinstance(entry, Refused) else (entry.reason,),
                decision=entry.decision if isinstance(entry, Refused) else None,
                sequence=entry.sequence,
            )
        )

    # Releases

    @property
    def projects(self) -> tuple[ProjectName, ...]:
        """Every project that has a release, by name."""
        return tuple(sorted(self._projects))

    def release(self, digest: Digest) -> ReleaseRecord | None:
        """The release whose document has this digest."""
        return self._releases.get(digest)

    def releases(self, project: ProjectName) -> tuple[ReleaseRecord, ...]:
        """The releases of a project in the order in which they were closed."""
        return tuple(self._projects.get(project, ()))

    def find(self, project: ProjectName, version: Version, build: int | None = None) -> ReleaseRecord | None:
        """A release by its build number; without one the newest build of that version."""
        builds = self._builds.get((project, version), [])
        if build is None:
            return builds[-1] if builds else None
        return builds[build - 1] if 1 <= build <= len(builds) else None

    def same_artifacts(self, project: ProjectName, version: Version, artifacts: Digest) -> ReleaseRecord | None:
        """The release of this version that has this artifact set already: the same artifacts are the same release."""
        return next((record for record in self._builds.get((project, version), ()) if record.artifacts == artifacts), None)

    def next_build(self, project: ProjectName, version: Version) -> int:
        """The number that other artifacts of this version would get."""
        return len(self._builds.get((project, version), ())) + 1

    # Channels

    def channel(self, project: ProjectName, channel: ChannelName) -> ChannelHead | None:
        """What a channel holds of a project."""
        return self._heads.get((project, channel))

    def channels(self, project: ProjectName | None = None) -> tuple[ChannelHead, ...]:
        """All heads, of one project or of all, by project and channel."""
        return tuple(self._heads[place] for place in sorted(self._heads) if project in (None, place[0]))

    def generation(self, project: ProjectName, channel: ChannelName) -> int:
        """The channel's present generation of a project; 0 before the first promotion. A promotion names it as expected."""
        head = self._heads.get((project, channel))
        return 0 if head is None else head.generation

    def history(self, project: ProjectName, channel: ChannelName) -> tuple[Change, ...]:
        """Every change of a channel's head, oldest first."""
        return tuple(self._changes.get((project, channel), ()))

    def attempts(self, project: ProjectName, channel: ChannelName) -> tuple[Attempt, ...]:
        """Refusals and conflicts, oldest first."""
        return tuple(self._attempts.get((project, channel), ()))

    def ever_on(self, channel: ChannelName, project: ProjectName | None = None) -> tuple[Digest, ...]:
        """The releases that a channel ever held, of one project or of all: their documents say which file names are taken there."""
        return tuple(
            release for place, held in self._held.items() if place[1] == channel and project in (None, place[0]) for release in held
        )

    def has_held(self, project: ProjectName, channel: ChannelName, release: Digest) -> bool:
        """Whether a channel held this release before or holds it now: only then can it be rolled back to."""
        return release in self._held.get((project, channel), {})

    def hold(self, project: ProjectName, channel: ChannelName) -> Hold | None:
        """The hold against automatic promotion, if there is one."""
        return self._holds.get((project, channel))

    @property
    def policies(self) -> dict[ChannelName, Digest]:
        """The digest of the policy in force on every channel that has one."""
        return dict(self._policies)

    def policy(self, channel: ChannelName) -> Digest | None:
        """The digest of the policy in force on a channel."""
        return self._policies.get(channel)

    # Evidence

    def evidence(self, *subjects: Digest) -> tuple[EvidenceRecord, ...]:
        """Every statement recorded about any of these subjects, each once, oldest first. To be verified before it is believed."""
        found = {(record.statement, record.bundle): record for subject in subjects for record in self._evidence.get(subject, ())}
        return tuple(sorted(found.values(), key=lambda record: record.sequence))


def _contradiction(entry: Entry, what: str) -> LedgerCorrupt:
    return LedgerCorrupt(f"ledger entry {entry.sequence} {what}", entry=entry.sequence)
