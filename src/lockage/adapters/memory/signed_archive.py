"""A tiny Debian archive on disk, signed with a throw-away OpenPGP key: what tests of mirrors and signatures point at."""

from __future__ import annotations

import base64
import gzip
import lzma
from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.base.digest import BlobRef

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.base.instant import Instant

__all__ = ["SignedArchive", "SigningKey", "clear_sign"]

_OID = bytes.fromhex("092b06010401da470f01")
_HASHES: dict[int, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA512]] = {2: hashes.SHA1, 8: hashes.SHA256, 10: hashes.SHA512}
_WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4) + body


def _subpacket(kind: int, body: bytes) -> bytes:
    return bytes([len(body) + 1, kind]) + body if len(body) < 190 else b"\xff" + (len(body) + 1).to_bytes(4) + bytes([kind]) + body


def _integer(data: bytes) -> bytes:
    data = data.lstrip(b"\0")
    return (len(data) * 8 - 8 + data[0].bit_length() if data else 0).to_bytes(2) + data


def _armor(kind: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN PGP {kind}-----\n\n{lines}\n-----END PGP {kind}-----\n"


class _Half:
    """One Ed25519 key of a certificate, primary or subkey."""

    def __init__(self, seed: bytes, created: int) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.body = b"\x04" + created.to_bytes(4) + b"\x16" + _OID + _integer(b"\x40" + self._private.public_key().public_bytes_raw())
        self.framed = b"\x99" + len(self.body).to_bytes(2) + self.body
        digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - version 4 fingerprints are SHA-1
        digest.update(self.framed)
        self.fingerprint = digest.finalize()

    def sign(self, kind: int, data: bytes, created: int, *subpackets: bytes, hash_algorithm: int = 8) -> bytes:
        """A signature packet's body."""
        hashed = _subpacket(2, created.to_bytes(4)) + _subpacket(33, b"\x04" + self.fingerprint) + b"".join(subpackets)
        head = bytes([4, kind, 22, hash_algorithm]) + len(hashed).to_bytes(2) + hashed
        digest = hashes.Hash(_HASHES[hash_algorithm]())
        digest.update(data + head + b"\x04\xff" + len(head).to_bytes(4))
        value = digest.finalize()
        made = self._private.sign(value)
        return head + b"\0\0" + value[:2] + _integer(made[:32]) + _integer(made[32:])


class SigningKey:
    """A certificate with a primary key and one signing subkey, all derived from ``seed``. The options plant defects."""

    def __init__(
        self,
        seed: int = 1,
        *,
        created: Instant,
        lifetime: int = 0,
        revoked: bool = False,
        subkey_flags: int = 2,
        cross_certified: bool = True,
        bound: bool = True,
    ) -> None:
        self.primary = _Half(bytes([seed]) * 32, created)
        self.subkey = _Half(bytes([seed + 100]) * 32, created)
        both = self.primary.framed + self.subkey.framed
        user = b"Throw-away <nobody@example.invalid>"
        about = self.primary.framed + b"\xb4" + len(user).to_bytes(4) + user
        expiry = (_subpacket(9, lifetime.to_bytes(4)),) if lifetime else ()
        back = (_subpacket(32, self.subkey.sign(0x19, both, created)),) if cross_certified else ()
        binder = self.primary if bound else self.subkey
        parts = [
            _packet(6, self.primary.body),
            _packet(2, self.primary.sign(0x20, self.primary.framed, created)) if revoked else b"",
            _packet(13, user),
            _packet(2, self.primary.sign(0x13, about, created, _subpacket(27, b"\x03"), *expiry)),
            _packet(14, self.subkey.body),
            _packet(2, binder.sign(0x18, both, created, _subpacket(27, bytes([subkey_flags])), *back)),
        ]
        self.public = _armor("PUBLIC KEY BLOCK", b"".join(parts)).encode()


def clear_sign(
    text: str, key: SigningKey, at: Instant, *, subkey: bool = True, hash_algorithm: int = 8, lifetime: int = 0, critical: int = 0
) -> bytes:
    """The text signed in the clear. ``critical`` is a subpacket type to be marked critical."""
    half = key.subkey if subkey else key.primary
    lines = text.removesuffix("\n").split("\n")
    extra = [_subpacket(3, lifetime.to_bytes(4))] if lifetime else []
    extra += [_subpacket(critical | 0x80, b"x")] if critical else []
    canonical = "\r\n".join(line.rstrip(" \t") for line in lines).encode()
    made = _packet(2, half.sign(0x01, canonical, at, *extra, hash_algorithm=hash_algorithm))
    escaped = "\n".join("- " + line if line.startswith("-") else line for line in lines)
    return f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{escaped}\n{_armor('SIGNATURE', made)}".encode()


def _date(at: Instant) -> str:
    text = str(at)
    month, day = _MONTHS[int(text[5:7]) - 1], text[8:10]
    return f"{_WEEKDAYS[at // 86400 % 7]}, {day} {month} {text[:4]} {text[11:19]} UTC"


class _Package(msgspec.Struct, frozen=True):
    stanza: str
    path: str
    data: bytes
    component: str
    architecture: str


class SignedArchive:
    """An archive below ``folder``. ``add`` packages, then ``publish``; a test may damage the files afterwards."""

    def __init__(self, folder: Path, key: SigningKey) -> None:
        self.folder = folder
        self.key = key
        self._packages: list[_Package] = []
        self.contents: dict[str, bytes] = {}

    @property
    def uri(self) -> str:
        return self.folder.as_uri()

    def add(self, name: str, version: str = "1", *, data: bytes | None = None, component: str = "main", **fields: str) -> str:
        """Put in a package, by default of arbitrary bytes; ``fields`` such as ``Depends`` (``_`` for ``-``). Returns its path."""
        body = f"the package {name} {version}".encode() if data is None else data
        architecture = fields.get("Architecture", "amd64")
        path = f"pool/{component}/{name[0]}/{name}/{name}_{version}_{architecture}.deb"
        ref = BlobRef.of(body)
        lines = {
            "Package": name,
            "Version": version,
            "Architecture": architecture,
            **{key.replace("_", "-"): value for key, value in fields.items()},
        }
        lines |= {"Filename": path, "Size": str(ref.size), "SHA256": ref.digest}
        self._packages.append(_Package("".join(f"{key}: {value}\n" for key, value in lines.items()), path, body, component, architecture))
        self.write(path, body)
        return path

    def write(self, path: str, data: bytes) -> None:
        """Put bytes at a path of the archive, whatever was there."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def publish(
        self, suite: str, date: Instant, *, valid_until: Instant | None = None, origin: str = "Debian", by_hash: bool = True
    ) -> None:
        """Write the suite's index and its signed Release."""
        files: dict[str, bytes] = {}
        for component in dict.fromkeys(("main", *(package.component for package in self._packages))):
            here = [package for package in self._packages if package.component == component]
            for architecture in sorted({"amd64", *(package.architecture for package in self._packages)} - {"all"}):
                plain = "\n".join(package.stanza for package in here if package.architecture in (architecture, "all")).encode()
                files[f"{component}/binary-{architecture}/Packages"] = plain
                files[f"{component}/binary-{architecture}/Packages.xz"] = lzma.compress(plain, preset=0)
        for part, listed in self.contents.items():
            files[f"main/Contents-{part}"] = listed
            files[f"main/Contents-{part}.gz"] = gzip.compress(listed, mtime=0)
        lines = [f"Origin: {origin}", "Suite: stable", f"Codename: {suite}", f"Date: {_date(date)}"]
        lines += [f"Valid-Until: {_date(valid_until)}"] if valid_until is not None else []
        lines += ["Acquire-By-Hash: yes"] if by_hash else []
        lines.append("SHA256:")
        for path, data in files.items():
            ref = BlobRef.of(data)
            lines.append(f" {ref.digest} {ref.size} {path}")
            self.write(f"dists/{suite}/{path}", data)
            if by_hash:
                self.write(f"dists/{suite}/{path.rpartition('/')[0]}/by-hash/SHA256/{ref.digest}", data)
        self.write(f"dists/{suite}/InRelease", clear_sign("\n".join(lines) + "\n", self.key, date))
