"""Private keys as files: Ed25519, PKCS8 PEM without a password, readable by their owner only, outside the store.

Invariants: a key is whole on the disk before it has its name, and a name is given once, so that two processes that need
the same new key at the same time get one key; a key that others can read is refused, not used.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.durable import ensure_folder, locked_folder, sync_folder, unwritable, write_file
from lockage.evidence.keys import ed25519_spki
from lockage.portable import READ_ONLY_PLAIN, user_id
from lockage.ports import KeyUnusable, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Ed25519Signer", "FileKeys"]

_SUFFIX = ".pem"
#: A PEM of an Ed25519 key has 119 bytes.
_LARGEST = 16_384
_BEGIN = b"-----BEGIN PRIVATE KEY-----\n"
_END = b"\n-----END PRIVATE KEY-----\n"
#: RFC 8410, section 7: version, AlgorithmIdentifier id-Ed25519, and a string in a string, of the 32 bytes that are the key.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


class Ed25519Signer:
    """A key in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = ed25519_spki(key.public_key().public_bytes_raw())

    @property
    def public(self) -> bytes:
        return self._public

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


class FileKeys:
    """The keys of one folder, each ``NAME.pem``. ``store`` is the store's folder, in which no key may lie."""

    def __init__(self, folder: Path, *, store: Path | None = None) -> None:
        self._folder = folder
        self._store = store

    def names(self) -> tuple[str, ...]:
        """The names of the keys that are there, sorted; none if there is no folder yet."""
        if not self._folder.exists():
            return ()
        self._check_folder()
        return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"[!.]*{_SUFFIX}")))

    def load(self, name: str) -> Ed25519Signer:
        """The key of that name; raises :class:`KeyUnusable` if it is missing, open to others, or no Ed25519 key."""
        self._check_folder()
        path = self._path(name)
        data = self._read(path)
        return Ed25519Signer(_written_here(data) or _of_others(data, path))

    def load_or_create(self, name: str) -> Ed25519Signer:
        """The key of that name, made now if it is not there, and durable. Raises :class:`KeyUnusable`."""
        self._make_folder()
        self._create(name)
        return self.load(name)

    def _path(self, name: str) -> Path:
        if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
            raise KeyUnusable(f"{name[:80]!r} cannot be the name of a key: letters, digits, '-' and '_'", name=name[:80])
        return self._folder / f"{name}{_SUFFIX}"

    def _make_folder(self) -> None:
        try:
            ensure_folder(self._folder)
        except OSError as error:
            raise KeyUnusable(
                f"the key folder {self._folder} cannot be made: {error.strerror}",
                hint="Set LOCKAGE_KEYS to a folder that you can write.",
                file=str(self._folder),
            ) from error
        self._check_folder()

    def _check_folder(self) -> None:
        if self._store is not None and self._folder.resolve().is_relative_to(self._store.resolve()):
            raise KeyUnusable(
                f"the key folder {self._folder} is inside the store {self._store}",
                hint="Set LOCKAGE_KEYS to a folder outside the store; who copies a store must not get its keys.",
                file=str(self._folder),
            )
        try:
            found = self._folder.stat()
        except OSError as error:
            raise KeyUnusable(f"the key folder {self._folder} cannot be read: {error.strerror}", file=str(self._folder)) from error
        if not stat.S_ISDIR(found.st_mode):
            raise KeyUnusable(f"the key folder {self._folder} is not a folder", file=str(self._folder))
        _refuse_others(self._folder, found, "700")

    def _read(self, path: Path) -> bytes:
        try:
            descriptor = os.open(path, READ_ONLY_PLAIN)
        except FileNotFoundError as error:
            raise KeyUnusable(f"there is no key {path}", file=str(path)) from error
        except OSError as error:
            raise KeyUnusable(f"the key {path} cannot be read: {error.strerror}", file=str(path)) from error
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise KeyUnusable(f"the key {path} is not a regular file", file=str(path))
            _refuse_others(path, found, "600")
            return stream.read(_LARGEST)

    def _create(self, name: str) -> None:
        path = self._path(name)
        try:
            with locked_folder(self._folder):
                if not path.exists():
                    write_file(path, _pem(Ed25519PrivateKey.generate().private_bytes_raw()), mode=0o600)
                else:  # by a process that may have been killed before its name was durable
                    with unwritable(self._folder):
                        sync_folder(self._folder)
        except StoreUnwritable as error:
            raise KeyUnusable(f"the key {path} cannot be made: {error.message}", file=str(path)) from error


def _pem(key: bytes) -> bytes:
    return _BEGIN + base64.b64encode(_PKCS8 + key) + _END  # 48 bytes are one line


def _written_here(data: bytes) -> Ed25519PrivateKey | None:
    """The key of a file such as :func:`_pem` gives; None for any other.

    What reads every form of every key takes 10 ms to import, with all its algorithms.
    """
    try:
        key = base64.b64decode(data[len(_BEGIN) : -len(_END)], validate=True)[len(_PKCS8) :]
    except binascii.Error:
        return None
    return Ed25519PrivateKey.from_private_bytes(key) if len(key) == 32 and _pem(key) == data else None


def _of_others(data: bytes, path: Path) -> Ed25519PrivateKey:
    """The key of a file in any form of PEM. Raises :class:`KeyUnusable`."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path} holds no private key without a password: {error}", file=str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} holds a key that is not Ed25519", file=str(path))
    return key


def _refuse_others(path: Path, found: os.stat_result, wanted: str) -> None:
    own = user_id()
    if own is None:  # Windows: who may read a file is not in its mode, and a user's own folders are the user's alone
        return
    if found.st_uid != own:
        raise KeyUnusable(
            f"{path} belongs to user {found.st_uid}, not to {own} who runs lockage",
            hint="Set LOCKAGE_KEYS to a folder of your own.",
            file=str(path),
            expected=own,
            found=found.st_uid,
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise KeyUnusable(
            f"{path} is open to others (mode {mode:o})",
            hint=f"Run `chmod {wanted} {path}`; if others could have read a key, make a new one.",
            file=str(path),
            expected=wanted,
            found=f"{mode:o}",
        )
