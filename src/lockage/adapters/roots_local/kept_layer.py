"""A kept layer, looked into: its manifest, and the bytes of its files as the manifest has them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.sweep import Kept
from lockage.base.canonical import InvalidDocument, decode_hook, encode_hook
from lockage.base.digest import BlobRef
from lockage.ports import RootDrift

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.environment.root import Entry

__all__ = ["KeptLayer", "manifest", "manifest_bytes", "read_manifest"]


def manifest(home: Path) -> list[Kept]:
    """The manifest of the layer in ``home``, sorted by path."""
    return read_manifest((home / "manifest").read_bytes())


def read_manifest(data: bytes) -> list[Kept]:
    """The entries of a manifest. Raises :class:`InvalidDocument`."""
    try:
        return msgspec.json.decode(data, type=list[Kept], dec_hook=decode_hook)
    except msgspec.MsgspecError as error:
        raise InvalidDocument(f"not the manifest of a layer: {error}") from error


def manifest_bytes(entries: Sequence[Kept]) -> bytes:
    """The manifest with these entries; it is hashed by nobody, so that the quickest encoder will do."""
    return msgspec.json.encode(entries, enc_hook=encode_hook)


class KeptLayer:
    """Implements :class:`lockage.ports.RootLayer` for the layer in ``home``, which lies at ``place`` and is of a ``kind``."""

    def __init__(self, home: Path, place: str, kind: str) -> None:
        self._home = home
        self._kind = kind
        self.place = place

    @property
    def _below(self) -> str:
        return f"{self.place}/" if self.place else ""

    @cached_property
    def entries(self) -> Sequence[Entry]:
        return [kept.entry(self._below, self._kind) for kept in manifest(self._home)]

    def read(self, entry: Entry) -> bytes:
        path = self._home / "root" / entry.path.removeprefix(self._below)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self._drift(entry, error.strerror or str(error)) from error
        if BlobRef.of(data) != BlobRef(entry.sha256 or BlobRef.of(b"").digest, entry.size):
            raise self._drift(entry, "has other bytes")
        return data

    def _drift(self, entry: Entry, what: str) -> RootDrift:
        return RootDrift(
            f"a kept root was changed since it was put together: {entry.path} {what}",
            hint="Run `lockage store check`, which sets the damaged root aside, and the command again.",
            path=entry.path,
            root=str(self._home),
        )
