"""OpenPGP bytes into packets and signatures (RFC 9580, sections 4 to 6); nothing is judged here.

Invariant: every malformed input raises :class:`Malformed`, never another exception. Only what archive keys use is read: version 4
keys and signatures, no partial lengths.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

__all__ = ["Malformed", "Packet", "Signature", "armored", "integer", "packets", "signature"]

_BLOCK = re.compile(rb"-----BEGIN PGP ([A-Z ]+)-----[ \t]*\r?\n(.*?)-----END PGP \1-----", re.DOTALL)


class Malformed(ValueError):
    """The bytes are not OpenPGP as this reader knows it."""


class Packet(NamedTuple):
    tag: int
    body: bytes


class Signature(NamedTuple):
    """A version 4 signature packet (5.2.3). ``subpackets`` are the hashed ones; ``hints`` the others, to be believed only as hints."""

    kind: int
    key_algorithm: int
    hash_algorithm: int
    subpackets: dict[int, bytes]
    hints: dict[int, bytes]
    critical: frozenset[int]
    trailer: bytes
    left16: bytes
    material: bytes

    @property
    def created(self) -> int:
        """Seconds since 1970 (5.2.3.11); the subpacket is obligatory and must be hashed."""
        if len(self.subpackets.get(2, b"")) != 4:
            raise Malformed("a signature without its creation time")
        return int.from_bytes(self.subpackets[2])

    @property
    def issuer(self) -> str:
        """The key that is said to have made it: fingerprint (5.2.3.35) or, in old ones, the key ID, in upper-case hex."""
        for found in (self.subpackets, self.hints):
            if 33 in found:
                return found[33][1:].hex().upper()
        for found in (self.subpackets, self.hints):
            if 16 in found:
                return found[16].hex().upper()
        return ""


def armored(data: bytes, kind: str) -> bytes:
    """The bytes of all armored blocks of that kind (6.2); bytes that are not armored are returned as they are."""
    if data[:1] >= b"\x80":
        return data
    blocks = [match.group(2) for match in _BLOCK.finditer(data) if match.group(1).decode() == kind]
    if not blocks:
        raise Malformed(f"no PGP {kind} in it")
    return b"".join(map(_dearmor, blocks))


def _dearmor(block: bytes) -> bytes:
    lines = [line.strip() for line in block.splitlines()]
    if b"" not in lines:
        raise Malformed("armor without the empty line that ends its headers")
    body = [line for line in lines[lines.index(b"") + 1 :] if line and not (len(line) == 5 and line.startswith(b"="))]
    try:
        return base64.b64decode(b"".join(body), validate=True)
    except binascii.Error as error:
        raise Malformed("armor that is not base64") from error


def packets(data: bytes) -> list[Packet]:
    """The packets of a message, in order (4.2)."""
    found = []
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise Malformed("not an OpenPGP packet")
        if first & 0x40:
            tag, (size, start) = first & 0x3F, _new_length(data, at + 1)
        else:
            width = (1, 2, 4, 0)[first & 3]
            if not width:
                raise Malformed("a packet of indeterminate length")
            tag, size, start = first >> 2 & 0xF, int.from_bytes(data[at + 1 : at + 1 + width]), at + 1 + width
        at = start + size
        if at > len(data):
            raise Malformed("a truncated packet")
        found.append(Packet(tag, data[start:at]))
    return found


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    """A length of one, two or five octets (4.2.1, 5.2.3.7), and where what it measures begins."""
    if at >= len(data):
        raise Malformed("a truncated length")
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return (first - 192 << 8) + data[at + 1] + 192 if at + 1 < len(data) else _truncated(), at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5]), at + 5
    raise Malformed("a packet in parts")


def _truncated() -> int:
    raise Malformed("a truncated length")


def _subpackets(data: bytes) -> tuple[dict[int, bytes], set[int]]:
    found: dict[int, bytes] = {}
    critical = set()
    at = 0
    while at < len(data):
        if 192 <= data[at] < 255:  # two octets; unlike in packet headers there are no partial lengths
            if at + 1 >= len(data):
                raise Malformed("a truncated subpacket")
            size, start = (data[at] - 192 << 8) + data[at + 1] + 192, at + 2
        else:
            size, start = _new_length(data, at)
        at = start + size
        if size < 1 or at > len(data):
            raise Malformed("a truncated subpacket")
        kind = data[start] & 0x7F
        if data[start] & 0x80:
            critical.add(kind)
        found[kind] = data[start + 1 : at]
    return found, critical


def signature(body: bytes) -> Signature | None:
    """Read a signature packet's body; None for versions other than 4."""
    if body[:1] != b"\x04":
        return None
    if len(body) < 6:
        raise Malformed("a truncated signature")
    hashed_end = 6 + int.from_bytes(body[4:6])
    hints_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2])
    if hints_end + 2 > len(body):
        raise Malformed("a truncated signature")
    subpackets, critical = _subpackets(body[6:hashed_end])
    hints, _ = _subpackets(body[hashed_end + 2 : hints_end])
    return Signature(
        kind=body[1],
        key_algorithm=body[2],
        hash_algorithm=body[3],
        subpackets=subpackets,
        hints=hints,
        critical=frozenset(critical),
        trailer=body[:hashed_end] + b"\x04\xff" + hashed_end.to_bytes(4),  # 5.2.4
        left16=body[hints_end : hints_end + 2],
        material=body[hints_end + 2 :],
    )


def integer(data: bytes, at: int) -> tuple[bytes, int]:
    """A multiprecision integer's bytes (3.2), and where the next thing begins."""
    end = at + 2 + (int.from_bytes(data[at : at + 2]) + 7) // 8
    if at + 2 > len(data) or end > len(data):
        raise Malformed("a truncated integer")
    return data[at + 2 : end], end
