"""The entries of a ledger (docs/formats/ledger.md): canonical JSON documents of at most 65,535 bytes, told apart by ``type``.

Invariants: these bytes are final; a new kind of decision is a new type, and a reader that does not know a type refuses to
fold the ledger. Entries hold digests, never the documents that were decided on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from lockage.base.canonical import canonical_of, decode_hook
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, Version
from lockage.ledger.errors import EntryTooLarge, InvalidEntry, UnknownEntry

__all__ = [
    "ENTRY_SCHEMA",
    "LARGEST_ENTRY",
    "Conflicted",
    "Entry",
    "EvidenceRecorded",
    "HoldReleased",
    "HoldSet",
    "PolicySet",
    "Promoted",
    "PromotionKind",
    "Refused",
    "ReleaseClosed",
    "StoreCreated",
    "TrustRootSet",
    "decode_entry",
    "encode_entry",
    "evidence_entries",
]

ENTRY_SCHEMA = 1
#: C2SP tlog-tiles: an entry's length is 16 bits.
LARGEST_ENTRY = 65_535
#: Subjects in one entry of evidence; more are spread over several entries.
_SUBJECTS = 512


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every entry has. A draft leaves ``sequence`` and ``at`` out; appending fills them in.

    ``sequence`` is the entry's place, from 0; ``at`` never goes back; ``actor`` is who asked for it.
    """

    schema: int = ENTRY_SCHEMA
    sequence: int = -1
    at: Instant = Instant(0)
    actor: PrincipalName


class StoreCreated(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="store-created"):
    """The first entry: the ledger's origin, and the digest of the trust root it starts from."""

    origin: str
    trust_root: Digest


class TrustRootSet(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="trust-root-set"):
    """Another trust root holds from here on."""

    trust_root: Digest


class PolicySet(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="policy-set"):
    """A channel demands another policy from here on."""

    channel: ChannelName
    policy: Digest


class ReleaseClosed(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="release-closed"):
    """A release exists: ``release`` is the digest of its document, ``artifacts`` of its artifact set, ``source`` of its source."""

    project: ProjectName
    version: Version
    build: int
    release: Digest
    artifacts: Digest
    source: Digest
    lock: Digest


class EvidenceRecorded(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="evidence-recorded"):
    """A signed statement was kept: digests of its subjects (sorted), of the statement and of the bundle, and its predicate type."""

    subjects: tuple[Digest, ...]
    statement: Digest
    predicate: str
    bundle: Digest


class PromotionKind(StrEnum):
    """Whether a channel got a release it had not held, or went back to one that it held before."""

    FORWARD = "forward"
    ROLLBACK = "rollback"


class Promoted(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="promoted"):
    """A channel holds another release: this entry is the promotion. ``generation`` is the channel's new one, from 1."""

    project: ProjectName
    channel: ChannelName
    generation: int
    release: Digest
    decision: Digest
    manifest: Digest
    kind: PromotionKind
    reason: str = ""


class Refused(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="refused"):
    """A policy said no; ``reasons`` are the codes of the gates that did."""

    project: ProjectName
    channel: ChannelName
    release: Digest
    decision: Digest
    reasons: tuple[str, ...]


class Conflicted(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="conflicted"):
    """A promotion did not happen: the channel had moved on (``expected`` and ``found`` differ), or a name was taken by other bytes."""

    project: ProjectName
    channel: ChannelName
    release: Digest
    expected: int
    found: int
    reason: str


class HoldSet(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hold-set"):
    """A project on a channel is not to be promoted automatically until the hold is released."""

    project: ProjectName
    channel: ChannelName
    reason: str


class HoldReleased(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hold-released"):
    """The hold on a project on a channel is over."""

    project: ProjectName
    channel: ChannelName
    reason: str


Entry = (
    StoreCreated | TrustRootSet | PolicySet | ReleaseClosed | EvidenceRecorded | Promoted | Refused | Conflicted | HoldSet | HoldReleased
)


class _Peek(msgspec.Struct):
    """What is read of an entry that is not understood, to say why."""

    types: ClassVar[frozenset[str]] = frozenset(
        str(kind.__struct_config__.tag)
        for kind in (
            StoreCreated,
            TrustRootSet,
            PolicySet,
            ReleaseClosed,
            EvidenceRecorded,
            Promoted,
            Refused,
            Conflicted,
            HoldSet,
            HoldReleased,
        )
    )
    type: str
    schema: int


_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry, dec_hook=decode_hook)


def encode_entry(entry: Entry) -> bytes:
    """The canonical bytes of a numbered entry. Raises :class:`EntryTooLarge`; ValueError for a draft."""
    if entry.sequence < 0:
        raise ValueError("an entry gets its place in the ledger before it is encoded")
    data = canonical_of(entry)
    if len(data) > LARGEST_ENTRY:
        kind = entry.__struct_config__.tag
        raise EntryTooLarge(f"a {kind} entry has {len(data)} bytes, at most {LARGEST_ENTRY} fit", expected=LARGEST_ENTRY, found=len(data))
    return data


def decode_entry(data: bytes, *, strict: bool = True) -> Entry:
    """Read an entry. Raises :class:`UnknownEntry` for a type or schema from the future, :class:`InvalidEntry` for anything malformed.

    ``strict`` also demands the canonical form, which proves that no two readers can understand the bytes differently; a reader
    of entries that were checked when they were appended may do without.
    """
    try:
        entry = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _why_not(data, error) from error
    if entry.schema != ENTRY_SCHEMA:
        raise _unknown(str(entry.__struct_config__.tag), entry.schema)
    if strict and (entry.sequence < 0 or len(data) > LARGEST_ENTRY or _canonical_or_none(entry) != data):
        raise InvalidEntry("a ledger entry is not in canonical form", sequence=entry.sequence)
    return entry


def _canonical_or_none(entry: Entry) -> bytes | None:
    try:
        return canonical_of(entry)
    except ValueError:
        return None


def _why_not(data: bytes, error: Exception) -> InvalidEntry | UnknownEntry:
    try:
        peek = msgspec.json.decode(data, type=_Peek)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return InvalidEntry(f"not a ledger entry: {error}")
    if peek.type not in _Peek.types or peek.schema != ENTRY_SCHEMA:
        return _unknown(peek.type, peek.schema)
    return InvalidEntry(f"not a valid {peek.type} entry: {error}")


def _unknown(kind: str, schema: int) -> UnknownEntry:
    return UnknownEntry(f"this lockage does not know ledger entries of type {kind[:60]!r}, schema {schema}", type=kind[:60], schema=schema)


def evidence_entries(
    *, actor: PrincipalName, subjects: tuple[Digest, ...], statement: Digest, predicate: str, bundle: Digest
) -> list[EvidenceRecorded]:
    """Drafts for one statement: its distinct subjects, sorted, over as many entries as they need."""
    ordered = sorted(set(subjects))
    return [
        EvidenceRecorded(actor=actor, subjects=tuple(ordered[at : at + _SUBJECTS]), statement=statement, predicate=predicate, bundle=bundle)
        for at in range(0, len(ordered), _SUBJECTS)
    ]
