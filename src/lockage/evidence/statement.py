"""in-toto Statement v1: what a signature says about which artifacts.

A statement keeps to strict protojson: no field of its own that in-toto does not know. At most 1024 subjects, as verifiers
allow no more; more artifacts give several statements. Predicates are in :mod:`lockage.evidence.predicate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lockage.base.canonical import canonical_of, decode
from lockage.base.digest import Digest
from lockage.base.errors import Integrity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lockage.record.artifact import Artifact

__all__ = ["MAX_SUBJECTS", "Descriptor", "InvalidStatement", "Statement", "Subject", "statements"]

MAX_SUBJECTS = 1024
_TYPE = "https://in-toto.io/Statement/v1"


class InvalidStatement(Integrity):
    """A signed statement is not of the form that its type demands."""

    code = "invalid-statement"
    hint = "Let whoever signed it make it anew with a lockage that writes the format named in docs/formats/evidence.md."


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An artifact that a statement is about."""

    name: str
    digest: dict[str, str]

    @property
    def sha256(self) -> Digest:
        """Its sha256; raises :class:`InvalidStatement` if it has none."""
        try:
            return Digest(self.digest["sha256"])
        except (KeyError, ValueError) as error:
            raise InvalidStatement(f"subject {self.name[:100]!r} has no sha256") from error


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """An in-toto ResourceDescriptor: a thing by name, address and digest."""

    name: str | None = None
    uri: str | None = None
    digest: dict[str, str] = {}
    content: str | None = None
    download_location: str | None = None
    media_type: str | None = None
    annotations: dict[str, str] = {}

    @classmethod
    def sha256(cls, name: str, digest: Digest, **annotations: str) -> Descriptor:
        """A thing of which the name and sha256 are known."""
        return cls(name=name, digest={"sha256": str(digest)}, annotations=annotations)


class _InTotoStatement(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"type_": "_type", "predicate_type": "predicateType"}
):
    type_: Literal["https://in-toto.io/Statement/v1"]
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: dict[str, Any]  # Any: plain JSON, converted to its type as soon as that is known


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement whose predicate has not been read yet; ``predicate`` is plain JSON."""

    subjects: tuple[Digest, ...]
    predicate_type: str
    predicate: dict[str, Any]

    @classmethod
    def read(cls, data: bytes) -> Statement:
        """Read the verified bytes of a statement; raises :class:`InvalidStatement` or InvalidDocument."""
        found = decode(data, _InTotoStatement)
        if not 1 <= len(found.subject) <= MAX_SUBJECTS:
            raise InvalidStatement(
                f"a statement has 1 to {MAX_SUBJECTS} subjects; this one has {len(found.subject)}", found=len(found.subject)
            )
        subjects = tuple(subject.sha256 for subject in found.subject)
        return cls(subjects=subjects, predicate_type=found.predicate_type, predicate=found.predicate)


def statements(
    artifacts: Sequence[Artifact], predicate_type: str, predicate: Callable[[Sequence[Artifact]], msgspec.Struct]
) -> Iterator[bytes]:
    """The bytes of one statement for every 1024 artifacts, by name, with the predicate that is made for these."""
    ordered = sorted(artifacts, key=lambda artifact: artifact.name)
    for start in range(0, len(ordered), MAX_SUBJECTS):
        some = ordered[start : start + MAX_SUBJECTS]
        subjects = [{"name": artifact.name, "digest": {"sha256": str(artifact.blob.digest)}} for artifact in some]
        yield canonical_of({"_type": _TYPE, "subject": subjects, "predicateType": predicate_type, "predicate": predicate(some)})
