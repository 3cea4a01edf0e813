"""Entries: canonical, bounded, strict, and closed to what is not known."""

import pytest

from lockage.base.canonical import canonical
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName
from lockage.ledger import EntryTooLarge, HoldSet, InvalidEntry, Refused, UnknownEntry, decode_entry, encode_entry, evidence_entries

ME = PrincipalName("me")
HOLD = HoldSet(sequence=3, at=Instant(1_700_000_000), actor=ME, project=ProjectName("shop"), channel=ChannelName("prod"), reason="rollback")
DATA = encode_entry(HOLD)


def test_an_entry_is_its_canonical_document() -> None:
    assert (
        canonical(
            {
                "type": "hold-set",
                "schema": 1,
                "sequence": 3,
                "at": "2023-11-14T22:13:20Z",
                "actor": "me",
                "project": "shop",
                "channel": "prod",
                "reason": "rollback",
            }
        )
        == DATA
    )
    assert decode_entry(DATA) == HOLD


def test_a_draft_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="place"):
        encode_entry(HoldSet(actor=ME, project=HOLD.project, channel=HOLD.channel, reason=""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        DATA + b"\n",
        b" " + DATA,
        DATA.replace(b'"reason":', b'"reason": '),
        DATA.replace(b'"me"', b'"\\u006de"'),
        DATA.replace(b'{"actor":"me",', b'{"actor":"me","actor":"me",'),
        DATA.replace(b'"project":"shop",', b""),
        DATA.replace(b'"project":"shop",', b'"project":"shop","quorum":2,'),
        DATA.replace(b'"shop"', b'"Shop"'),
        DATA.replace(b'"2023-11-14T22:13:20Z"', b"1700000000"),
        DATA.replace(b'"2023-11-14T22:13:20Z"', b'"2023-11-14 22:13:20"'),
        DATA.replace(b'"sequence":3', b'"sequence":-1'),
        DATA.replace(b'"sequence":3', b'"sequence":3.0'),
        DATA.replace(b'"sequence":3', b'"sequence":"3"'),
        DATA.replace(b'"schema":1,', b""),
        DATA.replace(b'"rollback"', b'"\xff"'),
    ],
)
def test_what_is_not_canonical_is_no_entry(data: bytes) -> None:
    with pytest.raises(InvalidEntry):
        decode_entry(data)


@pytest.mark.parametrize(
    "data",
    [
        DATA.replace(b'"hold-set"', b'"released-to-the-moon"'),
        DATA.replace(b'"schema":1', b'"schema":2'),
        DATA.replace(b'"schema":1', b'"schema":2').replace(b'"reason"', b'"because"'),
        b'{"schema":7,"type":"x"}',
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_entries_from_the_future_ask_for_an_upgrade(data: bytes, strict: bool) -> None:
    with pytest.raises(UnknownEntry) as caught:
        decode_entry(data, strict=strict)
    assert "Upgrade" in caught.value.hint


def test_an_entry_has_room_for_65535_bytes_and_no_more() -> None:
    def of(length: int) -> Refused:
        return Refused(
            sequence=0,
            actor=ME,
            project=HOLD.project,
            channel=HOLD.channel,
            release=Digest.of(b""),
            decision=Digest.of(b""),
            reasons=("x" * length,),
        )

    room = 65_535 - len(encode_entry(of(0)))
    assert decode_entry(encode_entry(of(room))) == of(room)
    with pytest.raises(EntryTooLarge) as caught:
        encode_entry(of(room + 1))
    assert caught.value.details == {"expected": 65_535, "found": 65_536}


def test_many_subjects_are_spread_over_entries_that_fit() -> None:
    subjects = tuple(Digest.of(b"%d" % n) for n in range(1500))
    drafts = evidence_entries(
        actor=ME, subjects=subjects + subjects[:9], statement=Digest.of(b"s"), predicate="https://example.test/p", bundle=Digest.of(b"b")
    )
    assert [len(draft.subjects) for draft in drafts] == [512, 512, 476]
    assert sum((draft.subjects for draft in drafts), ()) == tuple(sorted(subjects))
