"""Checkpoints (C2SP tlog-checkpoint v1.0): origin, size and root hash of a ledger, as the text of a signed note."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import msgspec

from lockage.ledger.errors import InvalidCheckpoint
from lockage.ledger.note import Note, VerifierKey, from_base64, open_note, sign_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Checkpoint", "open_checkpoint", "read_checkpoint", "sign_checkpoint"]

_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a ledger: ``root`` is the 32-byte root hash of its first ``size`` entries."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed: three lines, no extension lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, body: str) -> Checkpoint:
        """Read the text of a note. Extension lines are refused: lockage writes none. Raises :class:`InvalidCheckpoint`."""
        lines = body.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise InvalidCheckpoint(f"a checkpoint is three lines (origin, size, root hash): {body[:200]!r}")
        root = from_base64(lines[2])
        if len(root) != 32:
            raise InvalidCheckpoint(f"a checkpoint's root hash has 32 bytes, found {len(root)}")
        return cls(origin=lines[0], size=int(lines[1]), root=root)


def sign_checkpoint(checkpoint: Checkpoint, key: VerifierKey, sign: Callable[[bytes], bytes]) -> bytes:
    """The signed note of a checkpoint. Raises :class:`InvalidCheckpoint` unless the key's name is the origin."""
    if key.name != checkpoint.origin:
        raise InvalidCheckpoint(f"the ledger {checkpoint.origin!r} is signed by a key of that name, not by {key.name!r}")
    return sign_note(checkpoint.body, key, sign).encode()


def open_checkpoint(data: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """A checkpoint that one of the keys has signed under its origin's name. Raises :class:`InvalidCheckpoint`."""
    text, key = open_note(data, keys)
    checkpoint = Checkpoint.parse(text)
    if key.name != checkpoint.origin:
        raise InvalidCheckpoint(f"the checkpoint is of {checkpoint.origin!r}, its signature of {key.name!r}", origin=checkpoint.origin)
    return checkpoint


def read_checkpoint(data: bytes) -> Checkpoint:
    """A checkpoint whose signatures are NOT verified: for comparing it with a tree, or for showing it."""
    return Checkpoint.parse(Note.parse(data).text)
