"""Random ledgers: every proof verifies, and any single changed byte of an entry, a node or the checkpoint is found."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.adapters.memory import MemoryLedger
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName
from lockage.ledger import (
    Conflicted,
    Entry,
    EvidenceRecorded,
    HoldReleased,
    HoldSet,
    PolicySet,
    StoreCreated,
    TrustRootSet,
    VerifierKey,
    consistency_proof,
    decode_entry,
    prepare_append,
    prove,
    verify_consistency,
    verify_ledger,
)
from lockage.ledger.merkle import root_of

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
ME = PrincipalName("me")

digests = st.binary(min_size=1, max_size=4).map(Digest.of)
texts = st.text(max_size=30).filter(lambda text: text.isprintable() or text.isascii())
places = st.fixed_dictionaries(
    {"project": st.just(ProjectName("shop")), "channel": st.sampled_from([ChannelName("dev"), ChannelName("prod")])}
)
drafts: st.SearchStrategy[Entry] = st.one_of(
    st.builds(PolicySet, actor=st.just(ME), channel=st.just(ChannelName("dev")), policy=digests),
    st.builds(TrustRootSet, actor=st.just(ME), trust_root=digests),
    st.builds(EvidenceRecorded, actor=st.just(ME), subjects=st.tuples(digests), statement=digests, predicate=texts, bundle=digests),
    st.builds(lambda place, reason: HoldSet(actor=ME, reason=reason, **place), places, texts),
    st.builds(lambda place, reason: HoldReleased(actor=ME, reason=reason, **place), places, texts),
    st.builds(
        lambda place, release, n: Conflicted(actor=ME, release=release, expected=n, found=n + 1, reason="generation", **place),
        places,
        digests,
        st.integers(0, 2**40),
    ),
)
batches = st.lists(st.tuples(st.integers(-100, 100), st.lists(drafts, min_size=1, max_size=4)), max_size=8)


def made(batches: list[tuple[int, list[Entry]]]) -> tuple[MemoryLedger, list[tuple[int, bytes]]]:
    ledger, states = MemoryLedger(), []
    now = 1_700_000_000
    beginning: list[Entry] = [StoreCreated(actor=ME, origin=KEY.name, trust_root=Digest.of(b""))]
    for step, batch in [(0, beginning), *batches]:
        now += step
        prepared = prepare_append(ledger.head(), batch, now=Instant(now), key=KEY, sign=PRIVATE.sign)
        ledger.append(prepared.data, expected=prepared.expected, checkpoint=prepared.checkpoint, time=prepared.time)
        states.append((len(ledger.data), prepared.root))
    return ledger, states


def checkpoint(ledger: MemoryLedger) -> bytes:
    head = ledger.head()
    assert head is not None
    return head.checkpoint


@settings(max_examples=40, deadline=None)
@given(batches)
def test_every_state_is_consistent_and_every_entry_is_proven(batches: list[tuple[int, list[Entry]]]) -> None:
    ledger, states = made(batches)
    head = ledger.head()
    assert head is not None
    assert verify_ledger(ledger.entries(), head.checkpoint, [KEY], ledger.node).root == root_of(head.edge)
    for size, root in states:
        verify_consistency(size, root, head.size, root_of(head.edge), consistency_proof(ledger.node, size, head.size))
    for index, data in enumerate(ledger.data):
        prove(ledger.node, index, head.checkpoint).verify(data, [KEY])
        assert decode_entry(data).sequence == index


@settings(max_examples=80, deadline=None)
@given(batches, st.data())
def test_any_changed_byte_is_found(batches: list[tuple[int, list[Entry]]], data: st.DataObject) -> None:
    ledger, _ = made(batches)
    note = checkpoint(ledger)

    def changed(good: bytes) -> bytes:
        at = data.draw(st.integers(0, len(good) - 1))
        return good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]

    what = data.draw(st.sampled_from(["entry", "entry alone", "node", "checkpoint"]))
    if what.startswith("entry"):
        index = data.draw(st.integers(0, len(ledger.data) - 1))
        ledger.data[index] = changed(ledger.data[index])
    elif what == "node":
        place = data.draw(st.sampled_from(sorted(ledger.nodes)))
        ledger.nodes[place] = changed(ledger.nodes[place])
    else:
        note = changed(note)
    with pytest.raises(Integrity):
        verify_ledger(ledger.entries(), note, [KEY], None if what == "entry alone" else ledger.node)
