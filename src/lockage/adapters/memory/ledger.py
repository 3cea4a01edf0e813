"""A ledger in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.ledger.checkpoint import read_checkpoint
from lockage.ledger.errors import InvalidCheckpoint
from lockage.ledger.merkle import extend, root_of
from lockage.ports import LedgerConflict, LedgerCorrupt, LedgerHead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.base.instant import Instant

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Implements :class:`lockage.ports.Ledger`. ``data`` and ``nodes`` may be damaged by a test."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self._head: LedgerHead | None = None

    def head(self) -> LedgerHead | None:
        return self._head

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        yield from self.data[start:stop]

    def node(self, level: int, index: int) -> bytes | None:
        return self.nodes.get((level, index))

    def append(self, entries: Sequence[bytes], *, expected: int, checkpoint: bytes, time: Instant) -> None:
        size = len(self.data)
        if size != expected:
            raise LedgerConflict(f"the ledger has {size} entries, {expected} were expected", expected=expected, found=size)
        if self._head is not None and time < self._head.time:
            raise LedgerCorrupt(f"an append is dated {time}, before the last entry's {self._head.time}")
        edge, nodes = extend(self._head.edge if self._head is not None else (), size, entries)
        try:
            signed = read_checkpoint(checkpoint)
        except InvalidCheckpoint as error:
            raise LedgerCorrupt(f"the checkpoint cannot be read: {error}") from error
        if signed.size != size + len(entries) or signed.root != root_of(edge):
            raise LedgerCorrupt(f"the checkpoint is not of the tree of {size + len(entries)} entries")
        self.data.extend(bytes(data) for data in entries)
        self.nodes.update({(node.level, node.index): node.hash for node in nodes})
        self._head = LedgerHead(size=len(self.data), edge=edge, time=time, checkpoint=checkpoint)
