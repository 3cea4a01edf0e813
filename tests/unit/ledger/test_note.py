"""Signed notes, verifier keys and checkpoints: the published example of the format, and what must be refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lockage.ledger.checkpoint import Checkpoint, open_checkpoint, read_checkpoint, sign_checkpoint
from lockage.ledger.errors import InvalidCheckpoint
from lockage.ledger.note import Note, VerifierKey, open_note, sign_note

# The example of the package that the format comes from (Go's sumdb/note), key, private key and note.
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
EXAMPLE_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
EXAMPLE_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
EXAMPLE_NOTE = f"{EXAMPLE_TEXT}\n— PeterNeumann {EXAMPLE_SIGNATURE}\n".encode()

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
KEY = VerifierKey(name="example.test/store", public=PRIVATE.public_key().public_bytes_raw())
OTHER = VerifierKey(name="example.test/store", public=Ed25519PrivateKey.from_private_bytes(b"\6" * 32).public_key().public_bytes_raw())
CHECKPOINT = Checkpoint(origin=KEY.name, size=12, root=bytes(range(32)))


def test_the_published_example() -> None:
    key = VerifierKey.parse(EXAMPLE_KEY)
    assert str(key) == EXAMPLE_KEY
    assert open_note(EXAMPLE_NOTE, [key]) == (EXAMPLE_TEXT, key)
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(EXAMPLE_PRIVATE)[1:])
    assert sign_note(EXAMPLE_TEXT, key, private.sign).encode() == EXAMPLE_NOTE
    assert Note.parse(EXAMPLE_NOTE).encode() == EXAMPLE_NOTE


def test_every_flipped_bit_of_a_note_is_noticed() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY, PRIVATE.sign)
    for at in range(len(note)):
        for bit in range(8):
            with pytest.raises(InvalidCheckpoint):
                open_checkpoint(note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :], [KEY])


def test_every_truncation_of_a_note_is_noticed() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY, PRIVATE.sign)
    for size in range(len(note)):
        with pytest.raises(InvalidCheckpoint):
            open_checkpoint(note[:size], [KEY])


def test_a_checkpoint_comes_back() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY, PRIVATE.sign)
    assert note.decode().split("\n")[:4] == ["example.test/store", "12", base64.b64encode(bytes(range(32))).decode(), ""]
    assert open_checkpoint(note, [OTHER, KEY]) == CHECKPOINT
    assert read_checkpoint(note) == CHECKPOINT


def test_signatures_of_strangers_beside_ours_do_not_matter() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY, PRIVATE.sign)
    witnessed = note + "— witness.test AAAAAAAAAAAA\n".encode()
    assert open_checkpoint(witnessed, [KEY]) == CHECKPOINT


def test_a_stranger_alone_is_not_enough() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY, PRIVATE.sign)
    with pytest.raises(InvalidCheckpoint, match="no trusted key"):
        open_checkpoint(note, [OTHER])
    with pytest.raises(InvalidCheckpoint, match="no trusted key"):
        open_checkpoint(note, [])


def test_the_key_must_have_the_name_of_the_origin() -> None:
    other = Checkpoint(origin="example.test/other", size=1, root=bytes(32))
    with pytest.raises(InvalidCheckpoint, match="of that name"):
        sign_checkpoint(other, KEY, PRIVATE.sign)
    with pytest.raises(InvalidCheckpoint, match="its signature of"):
        open_checkpoint(sign_note(other.body, KEY, PRIVATE.sign).encode(), [KEY])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "origin\n1\n",
        "origin\n1\n" + "A" * 43 + "=\nextension\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n1\nAAAA\n",
        "origin\n1\n" + "A" * 42 + "B=\n",
        "\n1\n" + "A" * 43 + "=\n",
    ],
)
def test_malformed_checkpoints(body: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        Checkpoint.parse(body)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        EXAMPLE_KEY[:-1],
        EXAMPLE_KEY + "=",
        EXAMPLE_KEY.replace("c74f20a3", "c74f20a4"),
        EXAMPLE_KEY.replace("c74f20a3", "C74F20A3"),
        EXAMPLE_KEY.replace("PeterNeumann", "Peter Neumann"),
        EXAMPLE_KEY.replace("+ARpc", "+BRpc"),
        EXAMPLE_KEY.replace("PeterNeumann", ""),
    ],
)
def test_malformed_keys(text: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        VerifierKey.parse(text)


def test_a_key_from_its_subject_public_key_info() -> None:
    der = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert VerifierKey.of_spki(KEY.name, der) == KEY
    for wrong in (der[:-1], der + b"\0", b"\x31" + der[1:]):
        with pytest.raises(InvalidCheckpoint):
            VerifierKey.of_spki(KEY.name, wrong)


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"text\n", "text\n\n— n AAAA\n".encode(), b"text\n\n- n AAAAAAAA\n", b"te\rxt\n\n", b"\xff\n\n"]
)
def test_malformed_notes(data: bytes) -> None:
    with pytest.raises(InvalidCheckpoint):
        Note.parse(data)
