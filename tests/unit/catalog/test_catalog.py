"""The fold of ledger entries: what is known after them, and which sequences cannot be."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, StepName, Version
from lockage.catalog import AttemptKind, Catalog, name_conflicts
from lockage.ledger import (
    Conflicted,
    Entry,
    EvidenceRecorded,
    HoldReleased,
    HoldSet,
    InvalidCheckpoint,
    LedgerCorrupt,
    PolicySet,
    Promoted,
    PromotionKind,
    Refused,
    ReleaseClosed,
    StoreCreated,
    TrustRootSet,
    UnknownEntry,
    VerifierKey,
    prepare_append,
)
from lockage.record.release import Release, ReleaseArtifact
from lockage.record.source import DirectoryOrigin, Source

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
ME = PrincipalName("me")
SHOP, OTHER, DEV, PROD = ProjectName("shop"), ProjectName("other"), ChannelName("dev"), ChannelName("prod")
V1, V2 = Version("1.0"), Version("2.0")
T0 = Instant.parse("2026-11-23T20:00:00Z")


def d(what: str) -> Digest:
    return Digest.of(what.encode())


def closed(version: Version, build: int, *, project: ProjectName = SHOP, artifacts: str | None = None) -> ReleaseClosed:
    name = f"{project} {version} {build}"
    return ReleaseClosed(
        actor=ME,
        project=project,
        version=version,
        build=build,
        release=d(name),
        artifacts=d(artifacts or f"artifacts of {name}"),
        source=d("s"),
        lock=d("l"),
    )


def promoted(release: str, generation: int, *, channel: ChannelName = DEV, kind: PromotionKind = PromotionKind.FORWARD) -> Promoted:
    return Promoted(
        actor=ME,
        project=SHOP,
        channel=channel,
        generation=generation,
        release=d(release),
        decision=d("decision"),
        manifest=d("manifest"),
        kind=kind,
        reason="why",
    )


def fold(*drafts: Entry) -> Catalog:
    """Every draft an hour after the one before it, appended by the rules."""
    return Catalog.fold(appended(*drafts)[0], strict=True)


def appended(*drafts: Entry) -> tuple[tuple[bytes, ...], bytes]:
    first: tuple[Entry, ...] = (StoreCreated(actor=ME, origin=KEY.name, trust_root=d("trust")),)
    made = prepare_append(None, first + drafts, now=T0, key=KEY, sign=PRIVATE.sign)
    return made.data, made.checkpoint


def test_the_beginning() -> None:
    catalog = fold()
    assert (catalog.size, catalog.time, catalog.origin, catalog.trust_root) == (1, T0, KEY.name, d("trust"))
    assert (catalog.projects, catalog.channels(), catalog.policies) == ((), (), {})
    assert fold(TrustRootSet(actor=ME, trust_root=d("next"))).trust_root == d("next")


def test_releases_are_numbered_by_version() -> None:
    catalog = fold(closed(V1, 1), closed(V1, 2), closed(V2, 1), closed(V1, 1, project=OTHER))
    assert catalog.projects == (OTHER, SHOP)
    assert [(record.version, record.build) for record in catalog.releases(SHOP)] == [(V1, 1), (V1, 2), (V2, 1)]
    assert catalog.next_build(SHOP, V1) == 3
    assert catalog.next_build(SHOP, Version("9")) == 1
    newest, first = catalog.find(SHOP, V1), catalog.find(SHOP, V1, 1)
    assert newest is not None
    assert first is not None
    assert (newest.build, first.build) == (2, 1)
    assert catalog.find(SHOP, V1, 3) is None
    assert catalog.find(SHOP, V1, 0) is None
    assert catalog.release(first.release) == first
    assert catalog.release(d("nothing")) is None


def test_the_same_artifacts_are_the_same_release() -> None:
    catalog = fold(closed(V1, 1, artifacts="a"), closed(V1, 2, artifacts="b"))
    found = catalog.same_artifacts(SHOP, V1, d("a"))
    assert found is not None
    assert found.build == 1
    assert catalog.same_artifacts(SHOP, V2, d("a")) is None
    assert catalog.same_artifacts(OTHER, V1, d("a")) is None


def test_a_channel_and_its_history() -> None:
    catalog = fold(
        closed(V1, 1),
        closed(V2, 1),
        promoted("shop 1.0 1", 1),
        promoted("shop 2.0 1", 2),
        promoted("shop 1.0 1", 3, kind=PromotionKind.ROLLBACK),
        promoted("shop 2.0 1", 1, channel=PROD),
    )
    head = catalog.channel(SHOP, DEV)
    assert head is not None
    assert (head.generation, head.release) == (3, d("shop 1.0 1"))
    assert [(change.generation, change.release, change.kind) for change in catalog.history(SHOP, DEV)] == [
        (1, d("shop 1.0 1"), "forward"),
        (2, d("shop 2.0 1"), "forward"),
        (3, d("shop 1.0 1"), "rollback"),
    ]
    assert [(head.channel, head.generation) for head in catalog.channels(SHOP)] == [(DEV, 3), (PROD, 1)]
    assert catalog.channels(OTHER) == ()
    assert catalog.ever_on(DEV) == (d("shop 1.0 1"), d("shop 2.0 1"))
    assert catalog.ever_on(DEV, OTHER) == ()
    assert catalog.has_held(SHOP, DEV, d("shop 2.0 1"))
    assert not catalog.has_held(SHOP, PROD, d("shop 1.0 1"))
    assert catalog.generation(SHOP, ChannelName("staging")) == 0
    assert catalog.channel(OTHER, DEV) is None


def test_occupancy_is_counted_from_the_last_change_of_release() -> None:
    catalog = Catalog()
    hours = iter(range(100))
    drafts: list[Entry] = [
        StoreCreated(actor=ME, origin="o", trust_root=d("t")),
        closed(V1, 1),
        closed(V2, 1),
        promoted("shop 1.0 1", 1),
        promoted("shop 1.0 1", 2),
        promoted("shop 2.0 1", 3),
    ]
    since = []
    for sequence, draft in enumerate(drafts):
        catalog.apply(msgspec.structs.replace(draft, sequence=sequence, at=Instant(T0 + 3600 * next(hours))))
        head = catalog.channel(SHOP, DEV)
        since.append(head and (head.since - T0) // 3600)
    assert since == [None, None, None, 3, 3, 5]


def test_refusals_and_conflicts_move_nothing() -> None:
    catalog = fold(
        closed(V1, 1),
        Refused(actor=ME, project=SHOP, channel=PROD, release=d("shop 1.0 1"), decision=d("no"), reasons=("from",)),
        Conflicted(actor=ME, project=SHOP, channel=PROD, release=d("shop 1.0 1"), expected=1, found=0, reason="generation"),
    )
    assert catalog.channel(SHOP, PROD) is None
    assert [(attempt.kind, attempt.reasons, attempt.decision) for attempt in catalog.attempts(SHOP, PROD)] == [
        (AttemptKind.REFUSED, ("from",), d("no")),
        (AttemptKind.CONFLICTED, ("generation",), None),
    ]


def test_holds_and_policies() -> None:
    on = HoldSet(actor=ME, project=SHOP, channel=PROD, reason="rollback")
    off = HoldReleased(actor=ME, project=SHOP, channel=PROD, reason="clear")
    held = fold(on).hold(SHOP, PROD)
    assert held is not None
    assert held.reason == "rollback"
    assert fold(on).hold(SHOP, DEV) is None
    assert fold(on, off).hold(SHOP, PROD) is None
    assert fold(on, off, on).hold(SHOP, PROD) is not None
    catalog = fold(
        PolicySet(actor=ME, channel=PROD, policy=d("1")),
        PolicySet(actor=ME, channel=DEV, policy=d("2")),
        PolicySet(actor=ME, channel=PROD, policy=d("3")),
    )
    assert catalog.policies == {PROD: d("3"), DEV: d("2")}
    assert catalog.policy(PROD) == d("3")
    assert catalog.policy(ChannelName("staging")) is None


def test_evidence_is_found_by_any_of_its_subjects_once() -> None:
    def about(what: str, *subjects: str) -> EvidenceRecorded:
        return EvidenceRecorded(actor=ME, subjects=tuple(sorted(map(d, subjects))), statement=d(what), predicate=what, bundle=d(f"{what}b"))

    catalog = fold(about("one", "a", "b"), about("two", "b"), about("one", "c"))
    assert [record.predicate for record in catalog.evidence(d("b"))] == ["one", "two"]
    assert [record.predicate for record in catalog.evidence(d("a"), d("b"), d("c"))] == ["two", "one"]
    assert catalog.evidence(d("nothing")) == ()
    assert catalog.evidence() == ()


@pytest.mark.parametrize(
    "drafts",
    [
        (closed(V1, 2),),
        (closed(V1, 1), closed(V1, 1)),
        (closed(V1, 1, artifacts="a"), closed(V1, 2, artifacts="a")),
        (promoted("shop 1.0 1", 1),),
        (closed(V1, 1, project=OTHER), promoted("other 1.0 1", 1)),
        (closed(V1, 1), promoted("shop 1.0 1", 2)),
        (closed(V1, 1), promoted("shop 1.0 1", 1), promoted("shop 1.0 1", 1)),
        (closed(V1, 1), promoted("shop 1.0 1", 1, kind=PromotionKind.ROLLBACK)),
    ],
    ids=[
        "build left out",
        "build twice",
        "artifacts twice",
        "no release",
        "another project",
        "generation left out",
        "generation twice",
        "rollback to nothing",
    ],
)
def test_entries_that_contradict_each_other_are_damage(drafts: tuple[Entry, ...]) -> None:
    with pytest.raises(LedgerCorrupt) as caught:
        fold(*drafts)
    assert caught.value.details["entry"] == len(drafts)


def test_entries_out_of_place_are_damage() -> None:
    data, _ = appended(closed(V1, 1), closed(V2, 1))
    for wrong in (data[1:], data[::-1], (data[0], data[2]), (data[0], data[1], data[1])):
        with pytest.raises(LedgerCorrupt):
            Catalog.fold(wrong)


def test_what_is_not_known_stops_the_fold() -> None:
    data, _ = appended()
    with pytest.raises(UnknownEntry):
        Catalog.fold([*data, b'{"schema":1,"type":"revoked"}'])


def test_only_signed_entries_are_decided_on() -> None:
    data, checkpoint = appended(closed(V1, 1), promoted("shop 1.0 1", 1))
    assert Catalog.of_ledger(data, checkpoint, [KEY]).generation(SHOP, DEV) == 1
    forged = data[2].replace(b'"why"', b'"yhw"')
    for entries in (
        (*data[:2], forged),
        data[:2],
        (*data, data[2].replace(b'"sequence":2', b'"sequence":3').replace(b'"generation":1', b'"generation":2')),
    ):
        assert Catalog.fold(entries).size == len(entries)  # the fold alone believes it
        with pytest.raises(LedgerCorrupt, match="root"):
            Catalog.of_ledger(entries, checkpoint, [KEY])
    with pytest.raises(InvalidCheckpoint):
        Catalog.of_ledger(data, checkpoint, [])


def release(build: int, **files: str) -> Release:
    return Release(
        project=SHOP,
        version=V1,
        build=build,
        source=Source(tree=BlobRef.of(b""), date=T0, version=V1, origin=DirectoryOrigin(reason="r")),
        recipe=d("r"),
        lock=d("l"),
        artifacts=tuple(
            ReleaseArtifact(name=name, built_name=name, sha256=d(data), size=1, content_digest=d(data), step=StepName("s"))
            for name, data in sorted(files.items())
        ),
    )


def test_names_are_for_ever() -> None:
    history = [release(1, a="1", b="1"), release(2, a="2", c="1")]
    assert name_conflicts(history, release(3, b="1", d="9")) == ()
    assert name_conflicts([], release(1, a="1")) == ()
    (found,) = name_conflicts(history, release(3, b="3", c="1"))
    assert (found.name, found.wanted, found.taken, found.release) == ("b", d("3"), d("1"), history[0].digest)
    assert [conflict.name for conflict in name_conflicts(history, release(3, A="1", c="2"))] == ["A", "c"]
