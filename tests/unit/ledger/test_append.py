"""The rules of appending, the verification of a whole ledger, and offline proofs."""

from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.adapters.memory import MemoryLedger
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName
from lockage.ledger import (
    Entry,
    InvalidCheckpoint,
    InvalidProof,
    LedgerCorrupt,
    PolicySet,
    Proof,
    StoreCreated,
    VerifierKey,
    decode_entry,
    encode_entry,
    prepare_append,
    prove,
    verify_ledger,
)

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
NEXT_PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\6" * 32)
NEXT_KEY = VerifierKey(name=KEY.name, public=NEXT_PRIVATE.public_key().public_bytes_raw())
ME = PrincipalName("me")
NOW = Instant.parse("2026-11-23T20:00:00Z")
CREATED = StoreCreated(actor=ME, origin=KEY.name, trust_root=Digest.of(b"root"))


def policy(n: int) -> PolicySet:
    return PolicySet(actor=ME, channel=ChannelName("dev"), policy=Digest.of(b"%d" % n))


def add(ledger: MemoryLedger, *drafts: Entry, now: Instant = NOW) -> None:
    made = prepare_append(ledger.head(), drafts, now=now, key=KEY, sign=PRIVATE.sign)
    ledger.append(made.data, expected=made.expected, checkpoint=made.checkpoint, time=made.time)


def filled() -> MemoryLedger:
    ledger = MemoryLedger()
    add(ledger, CREATED)
    for n in range(6):
        add(ledger, policy(n), policy(n + 100), now=Instant(NOW + n))
    return ledger


def checkpoint(ledger: MemoryLedger) -> bytes:
    head = ledger.head()
    assert head is not None
    return head.checkpoint


def test_entries_get_their_places_and_times() -> None:
    ledger = filled()
    entries = [decode_entry(data) for data in ledger.entries()]
    assert [entry.sequence for entry in entries] == list(range(13))
    assert [entry.at - NOW for entry in entries] == [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_clock_that_was_set_back_does_not_take_the_ledger_back() -> None:
    ledger = filled()
    add(ledger, policy(1), now=Instant(NOW - 1_000_000))
    assert decode_entry(ledger.data[-1]).at == NOW + 5
    add(ledger, policy(2), now=Instant(NOW + 6))
    assert decode_entry(ledger.data[-1]).at == NOW + 6


def test_a_ledger_begins_with_the_store_and_has_one_beginning() -> None:
    with pytest.raises(ValueError, match="begins"):
        prepare_append(None, [policy(1)], now=NOW, key=KEY, sign=PRIVATE.sign)
    with pytest.raises(ValueError, match="begins"):
        prepare_append(None, [CREATED, CREATED], now=NOW, key=KEY, sign=PRIVATE.sign)
    with pytest.raises(ValueError, match="begins"):
        prepare_append(filled().head(), [CREATED], now=NOW, key=KEY, sign=PRIVATE.sign)
    with pytest.raises(ValueError, match="nothing"):
        prepare_append(filled().head(), [], now=NOW, key=KEY, sign=PRIVATE.sign)
    with pytest.raises(ValueError, match="origin"):
        prepare_append(None, [msgspec.structs.replace(CREATED, origin="else")], now=NOW, key=KEY, sign=PRIVATE.sign)


def test_another_key_goes_on_if_the_earlier_one_is_known() -> None:
    ledger = filled()
    with pytest.raises(InvalidCheckpoint):
        prepare_append(ledger.head(), [policy(1)], now=NOW, key=NEXT_KEY, sign=NEXT_PRIVATE.sign)
    made = prepare_append(ledger.head(), [policy(1)], now=NOW, key=NEXT_KEY, sign=NEXT_PRIVATE.sign, known=[KEY])
    ledger.append(made.data, expected=made.expected, checkpoint=made.checkpoint, time=made.time)
    assert verify_ledger(ledger.entries(), checkpoint(ledger), [NEXT_KEY]).size == 14


def test_nothing_is_signed_on_top_of_a_tree_that_is_not_the_checkpoints() -> None:
    head = filled().head()
    assert head is not None
    for wrong in (
        msgspec.structs.replace(head, edge=(bytes(32), *head.edge[1:])),
        msgspec.structs.replace(head, edge=head.edge[1:]),
        msgspec.structs.replace(head, size=14),
    ):
        with pytest.raises(LedgerCorrupt):
            prepare_append(wrong, [policy(1)], now=NOW, key=KEY, sign=PRIVATE.sign)


def test_a_whole_ledger_verifies() -> None:
    ledger = filled()
    found = verify_ledger(ledger.entries(), checkpoint(ledger), [KEY], ledger.node)
    assert (found.origin, found.size, found.time) == (KEY.name, 13, NOW + 5)


def rewritten(ledger: MemoryLedger, index: int, **changes: object) -> None:
    ledger.data[index] = encode_entry(msgspec.structs.replace(decode_entry(ledger.data[index]), **changes))


DAMAGES: dict[str, tuple[Callable[[MemoryLedger], object], int | None]] = {
    "an entry replaced by a valid one": (lambda ledger: rewritten(ledger, 4, policy=Digest.of(b"evil")), 4),
    "an entry with another place": (lambda ledger: rewritten(ledger, 4, sequence=5), 4),
    "an entry with an earlier time": (lambda ledger: rewritten(ledger, 4, at=Instant(NOW - 1)), 4),
    "an entry that is no document": (lambda ledger: ledger.data.__setitem__(4, b"{}"), 4),
    "an entry left out": (lambda ledger: ledger.data.pop(4), 4),
    "an entry too many": (lambda ledger: ledger.data.append(ledger.data[4]), 13),
    "the last entry gone": (lambda ledger: ledger.data.pop(), 12),
    "no entries": (lambda ledger: ledger.data.clear(), 0),
    "another leaf hash": (lambda ledger: ledger.nodes.__setitem__((0, 4), bytes(32)), 4),
    "another inner node": (lambda ledger: ledger.nodes.__setitem__((1, 2), bytes(32)), 5),
    "a node gone": (lambda ledger: ledger.nodes.pop((3, 0)), 7),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_first_fault_is_named(name: str) -> None:
    ledger = filled()
    damage, index = DAMAGES[name]
    damage(ledger)
    with pytest.raises(LedgerCorrupt) as caught:
        verify_ledger(ledger.entries(), checkpoint(ledger), [KEY], ledger.node)
    assert caught.value.details["entry"] == index, caught.value.message


@pytest.mark.parametrize("index", [4, 12])
def test_a_replaced_entry_is_found_without_the_tree_too(index: int) -> None:
    ledger = filled()
    rewritten(ledger, index, policy=Digest.of(b"evil"))
    with pytest.raises(LedgerCorrupt, match="root"):
        verify_ledger(ledger.entries(), checkpoint(ledger), [KEY])


def test_a_type_from_the_future_is_no_damage() -> None:
    ledger = filled()
    head = ledger.head()
    assert head is not None
    from lockage.ledger.checkpoint import Checkpoint, sign_checkpoint
    from lockage.ledger.merkle import extend, root_of

    future = b'{"schema":1,"type":"from-the-future"}'
    edge, _ = extend(head.edge, 13, [future])
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=14, root=root_of(edge)), KEY, PRIVATE.sign)
    ledger.append([future], expected=13, checkpoint=note, time=head.time)
    assert verify_ledger(ledger.entries(), note, [KEY], ledger.node).size == 14


def test_a_proof_convinces_offline() -> None:
    ledger = filled()
    for index, entry in enumerate(ledger.data):
        text = prove(ledger.node, index, checkpoint(ledger)).encode()
        assert text.startswith(b"c2sp.org/tlog-proof@v1\nindex %d\n" % index)
        proof = Proof.parse(text)
        assert proof.encode() == text
        assert proof.verify(entry, [KEY]).size == 13
        with pytest.raises(InvalidProof):
            proof.verify(entry + b" ", [KEY])


def test_every_flipped_bit_of_a_proof_is_noticed() -> None:
    ledger = filled()
    text = prove(ledger.node, 5, checkpoint(ledger)).encode()
    for at in range(len(text)):
        bad = text[:at] + bytes([text[at] ^ 1 << at % 8]) + text[at + 1 :]
        with pytest.raises((InvalidProof, InvalidCheckpoint)):
            Proof.parse(bad).verify(ledger.data[5], [KEY])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\nnote",
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote",
        b"\xff",
    ],
)
def test_malformed_proofs(text: bytes) -> None:
    with pytest.raises(InvalidProof):
        Proof.parse(text)
