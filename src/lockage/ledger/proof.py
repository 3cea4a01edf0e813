"""Offline proofs that an entry is in a ledger (C2SP tlog-proof): index, inclusion path and the signed checkpoint as one text."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import msgspec

from lockage.ledger.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from lockage.ledger.errors import InvalidCheckpoint, InvalidProof
from lockage.ledger.merkle import inclusion_proof, leaf_hash, verify_inclusion
from lockage.ledger.note import from_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.ledger.merkle import NodeOf
    from lockage.ledger.note import VerifierKey

__all__ = ["Proof", "prove"]

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That the entry at ``index`` is in the ledger of the checkpoint; ``path`` holds hashes from the leaf upwards."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The bytes of a ``.tlog-proof`` file, without an extra line."""
        lines = [_HEADER, f"index {self.index}", *(base64.b64encode(step).decode() for step in self.path), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read a proof; raises :class:`InvalidProof`."""
        try:
            head, gap, note = data.decode().partition("\n\n")
            lines = head.split("\n")
            index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
            if lines[0] != _HEADER or index is None or not gap:
                raise InvalidProof("not a proof: its first lines are not the header and the index")
            path = tuple(from_base64(line) for line in lines[2:])
        except (UnicodeDecodeError, InvalidCheckpoint) as error:
            raise InvalidProof(f"not a proof: {error}") from error
        if len(path) > 63 or any(len(step) != 32 for step in path):
            raise InvalidProof("a proof has at most 63 hashes of 32 bytes each")
        return cls(index=int(index[1]), path=path, checkpoint=note.encode())

    def verify(self, entry: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
        """The checkpoint under which the entry is proven. Raises :class:`InvalidProof`, :class:`InvalidCheckpoint`."""
        checkpoint = open_checkpoint(self.checkpoint, keys)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def prove(node: NodeOf, index: int, checkpoint: bytes) -> Proof:
    """The proof of one entry under a checkpoint. Raises ValueError if the checkpoint's ledger has no such entry."""
    size = read_checkpoint(checkpoint).size
    return Proof(index=index, path=inclusion_proof(node, index, size), checkpoint=checkpoint)
