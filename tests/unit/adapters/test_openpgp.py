"""Each way in which a signed file can be wrong has its own reason."""

from pathlib import Path

import pytest

from lockage.adapters.memory.signed_archive import SigningKey, clear_sign
from lockage.adapters.openpgp import Keyring, debian_keyring
from lockage.base.instant import Instant
from lockage.ports import UntrustedRelease

T0 = Instant.parse("2026-01-01T00:00:00Z")
NOW = Instant(T0 + 86400)
TEXT = "Origin: Debian\n- a dashed line\n-----looks like armor\ntrailing space \t\n\nend\n"
KEY = SigningKey(created=T0)
GOLDEN = Path(__file__).parents[2] / "golden" / "openpgp"


def reason(signed: bytes, *keys: bytes, now: Instant = NOW) -> str:
    with pytest.raises(UntrustedRelease) as caught:
        Keyring(keys or (KEY.public,)).verify(signed, (), now)
    return str(caught.value.details["reason"])


def signed_by(key: SigningKey, *, lifetime: int = 0, subkey: bool = True) -> bytes:
    return clear_sign(TEXT, key, NOW, lifetime=lifetime, subkey=subkey)


@pytest.mark.parametrize("subkey", [True, False], ids=["subkey", "primary"])
@pytest.mark.parametrize("hash_algorithm", [8, 10], ids=["sha256", "sha512"])
def test_a_good_signature_returns_what_was_signed(subkey: bool, hash_algorithm: int) -> None:
    signed = clear_sign(TEXT, KEY, NOW, subkey=subkey, hash_algorithm=hash_algorithm)
    assert Keyring([KEY.public]).verify(signed, (), NOW) == (TEXT.replace("space \t", "space"), True)


def test_a_key_named_beside_the_ring_is_told_apart() -> None:
    assert Keyring([SigningKey(2, created=T0).public]).verify(signed_by(KEY), [KEY.public], NOW)[1] is False


@pytest.mark.parametrize("name", ["rsa", "ed25519"])
def test_what_gnupg_made_is_verified(name: str) -> None:
    """Regenerate with tests/golden/openpgp/regenerate.sh."""
    signed = (GOLDEN / f"{name}.signed").read_bytes()
    key = (GOLDEN / f"{name}.asc").read_bytes()
    made = Instant.parse("2026-02-01T12:00:00Z")
    assert Keyring([key]).verify(signed, (), made)[0] == "Origin: Debian\n- dashed\ntrailing\n\nend\n"
    assert reason(signed.replace(b"Debian", b"Debiam"), key, now=made) == "altered"


def test_lines_may_end_in_carriage_returns() -> None:
    assert Keyring([KEY.public]).verify(signed_by(KEY).replace(b"\n", b"\r\n"), (), NOW)[1]


@pytest.mark.parametrize(
    ("old", "new"), [(b"Origin: Debian", b"Origin: Debiam"), (b"\n\nend\n", b"\nend\n"), (b"\nend\n", b"\nend\n\n"), (b"space", b" space")]
)
def test_altered_text(old: bytes, new: bytes) -> None:
    assert reason(signed_by(KEY).replace(old, new, 1)) == "altered"


def test_unknown_key() -> None:
    assert reason(signed_by(KEY), SigningKey(2, created=T0).public) == "unknown-key"


def test_expired_key() -> None:
    key = SigningKey(created=T0, lifetime=86400)
    assert reason(signed_by(key), key.public) == "expired-key"
    assert Keyring([key.public]).verify(clear_sign(TEXT, key, T0), (), Instant(T0 + 5))[1]


def test_revoked_key() -> None:
    key = SigningKey(created=T0, revoked=True)
    assert reason(signed_by(key), key.public) == "revoked-key"
    assert reason(signed_by(key, subkey=False), key.public) == "revoked-key"


def test_a_subkey_not_meant_for_signing() -> None:
    key = SigningKey(created=T0, subkey_flags=0x0C)
    assert reason(signed_by(key), key.public) == "unusable-key"


def test_a_subkey_that_has_not_signed_its_primary() -> None:
    key = SigningKey(created=T0, cross_certified=False)
    assert reason(signed_by(key), key.public) == "unusable-key"


def test_a_subkey_that_the_primary_has_not_signed() -> None:
    key = SigningKey(created=T0, bound=False)
    assert reason(signed_by(key), key.public) == "unknown-key"


def test_expired_signature() -> None:
    assert reason(signed_by(KEY, lifetime=60), now=Instant(NOW + 60)) == "expired-signature"


def test_a_signature_from_the_future() -> None:
    assert reason(clear_sign(TEXT, KEY, Instant(NOW + 7200))) == "future-signature"


def test_sha1_is_not_accepted() -> None:
    assert reason(clear_sign(TEXT, KEY, NOW, hash_algorithm=2)) == "unsupported"


def test_a_critical_part_of_unknown_kind_is_not_ignored() -> None:
    assert reason(clear_sign(TEXT, KEY, NOW, critical=99)) == "unsupported"


@pytest.mark.parametrize(
    "damage",
    [
        lambda signed: b"x\n" + signed,
        lambda signed: signed + b"x\n",
        lambda signed: signed.replace(b"Hash: SHA256", b"Hash: SHA256\nComment: x"),
        lambda signed: signed.replace(b"- - a dashed", b"-a dashed"),
        lambda signed: signed[: len(signed) // 2],
        lambda signed: signed + signed,
        lambda signed: signed.replace(b"BEGIN PGP SIGNATURE-----\n\n", b"BEGIN PGP SIGNATURE-----\n\n*"),
        lambda signed: b"",
    ],
    ids=["text-before", "text-after", "other-header", "not-dash-escaped", "truncated", "twice", "not-base64", "empty"],
)
def test_malformed_files(damage) -> None:  # type: ignore[no-untyped-def] # a lambda over bytes
    assert reason(damage(signed_by(KEY))) == "malformed"


def test_any_truncation_of_the_signature_is_refused_with_a_reason() -> None:
    signed = signed_by(KEY)
    start = signed.index(b"BEGIN PGP SIGNATURE-----\n\n") + 26
    for at in range(start, len(signed) - 30, 3):
        assert reason(signed[:at] + signed[at + 4 :]) in ("malformed", "altered", "unknown-key", "unsupported")


def test_a_broken_keyring_is_refused() -> None:
    with pytest.raises(UntrustedRelease, match="keyring"):
        Keyring([b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"])


def test_the_archive_keys_that_come_with_lockage_are_readable_and_in_force() -> None:
    keys = debian_keyring()._keys
    assert len(keys) == 9
    assert all(key.signs and not key.revoked and (key.expires or 0) > NOW for key in keys)
