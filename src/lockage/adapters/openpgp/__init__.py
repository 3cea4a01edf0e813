"""Verifies files that are signed in the clear, such as a suite's InRelease, against archive keys (RFC 9580, section 7).

Why our own and no library: docs/adr/0003-openpgp.md. Invariants: what is returned is exactly the text that was signed; one good
signature by a trusted key is needed and no bad one by a trusted key is tolerated; keys must be valid now, not only when they signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.openpgp.key import Key, Unsupported, certificates, check
from lockage.adapters.openpgp.packet import Malformed, Signature, armored, packets, signature
from lockage.base.instant import Instant
from lockage.ports import UntrustedRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Keyring", "debian_keyring"]

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_END = b"-----END PGP SIGNATURE-----"
_TEXT = 0x01
#: How far the clocks of a signer and of this machine may be apart, in seconds.
_SKEW = 3600


class Keyring:
    """A set of trusted keys."""

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        """``keys`` are keyrings, armored or binary. Raises UntrustedRelease if one cannot be read."""
        self._keys = [key for data in keys for key in _read(data)]

    def verify(self, signed: bytes, extra: Sequence[bytes], now: Instant) -> tuple[str, bool]:
        """The text that was signed, and whether a key of the ring itself vouches for it rather than one of the ``extra`` keyrings.

        Raises UntrustedRelease with the detail ``reason``: ``malformed``, ``unknown-key``, ``altered``, ``expired-key``,
        ``revoked-key``, ``unusable-key``, ``expired-signature``, ``future-signature`` or ``unsupported``.
        """
        lines, signatures = _split(signed)
        text = b"\r\n".join(lines)
        more = [key for data in extra for key in _read(data)]
        refused: list[UntrustedRelease] = []
        good: list[Key] = []
        for made in signatures:
            key = next((key for key in [*self._keys, *more] if made.issuer and key.fingerprint.endswith(made.issuer)), None)
            if key is None:
                continue
            failure = _fault(key, made, text, now)
            if failure is None:
                good.append(key)
            elif failure.details["reason"] == "altered":
                raise failure
            else:
                refused.append(failure)
        if good:
            return b"\n".join(lines).decode(errors="replace") + "\n", any(key in self._keys for key in good)
        if refused:
            raise refused[0]
        issuers = ", ".join(made.issuer or "an unnamed key" for made in signatures)
        raise UntrustedRelease(
            f"the file is signed by keys that are not trusted: {issuers}",
            hint="Use a mirror of the Debian archive, or name the archive's key with Signed-By in the machine's apt sources.",
            reason="unknown-key",
        )


def debian_keyring() -> Keyring:
    """The Debian archive's own keys, as they come with lockage."""
    folder = Path(__file__).parent.parent / "keys" / "debian"
    return Keyring(path.read_bytes() for path in sorted(folder.glob("*.asc")))


def _refusal(reason: str, message: str) -> UntrustedRelease:
    return UntrustedRelease(message, reason=reason)


def _read(data: bytes) -> list[Key]:
    try:
        return certificates(data)
    except (Malformed, ValueError) as error:
        raise _refusal("malformed", f"a keyring cannot be read: {error}") from error


def _split(signed: bytes) -> tuple[list[bytes], list[Signature]]:
    """The signed lines without trailing white space (7.2), and the signatures; nothing may stand before, between or after."""
    lines = [line.rstrip(b" \t\r") for line in signed.rstrip(b"\r\n").split(b"\n")]
    if lines[0] != _BEGIN or lines[-1] != _END or lines.count(_SIGNATURE) != 1 or b"" not in lines:
        raise _refusal("malformed", "the file is not signed in the clear, or has text outside what is signed")
    start, end = lines.index(b"") + 1, lines.index(_SIGNATURE)
    if start > end or not all(line.startswith(b"Hash: ") for line in lines[1 : start - 1]):
        raise _refusal("malformed", "the signed file has headers other than Hash")
    text = []
    for line in lines[start:end]:
        if line.startswith(b"-") and not line.startswith(b"- "):
            raise _refusal("malformed", "the signed file has a line that should be dash-escaped and is not")
        text.append(line.removeprefix(b"- "))
    try:
        found = packets(armored(b"\n".join(lines[end:]) + b"\n", "SIGNATURE"))
        signatures = [made for packet in found if packet.tag == 2 and (made := signature(packet.body)) is not None]
        _ = [made.created for made in signatures]
    except Malformed as error:
        raise _refusal("malformed", f"the file's signature cannot be read: {error}") from error
    if not signatures:
        raise _refusal("malformed", "the file has no signature of a version that is known")
    return text, signatures


def _fault(key: Key, made: Signature, text: bytes, now: Instant) -> UntrustedRelease | None:
    """Why a signature by a trusted key does not count."""
    if made.kind != _TEXT:
        return _refusal("unsupported", f"the signature by {key.fingerprint} is of kind {made.kind:#04x}, not over a text")
    try:
        holds = check(key, made, text)
    except (Unsupported, Malformed) as error:
        return _refusal("unsupported", f"the signature by {key.fingerprint} is not accepted: {error}")
    if not holds:
        return _refusal("altered", f"the signature by {key.fingerprint} does not fit: the file was altered after it was signed")
    if key.revoked:
        return _refusal("revoked-key", f"the key {key.fingerprint} that signed the file was revoked")
    if not key.signs:
        return _refusal("unusable-key", f"the key {key.fingerprint} that signed the file is not meant for signing")
    if key.expires is not None and key.expires <= now:
        return _refusal("expired-key", f"the key {key.fingerprint} that signed the file expired at {Instant(key.expires)}; it is {now}")
    lifetime = int.from_bytes(made.subpackets.get(3, b""))
    if lifetime and made.created + lifetime <= now:
        return _refusal(
            "expired-signature", f"the signature by {key.fingerprint} expired at {Instant(made.created + lifetime)}; it is {now}"
        )
    if made.created > now + _SKEW or made.created < key.created:
        return _refusal("future-signature", f"the signature by {key.fingerprint} is dated {Instant(made.created)}; it is {now}")
    return None
