"""A memo that remembers nothing: who reads with it reads everything, and what was remembered is put anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.ports import Memo
    from lockage.ports.storage import Swept

__all__ = ["Forgetful"]


class Forgetful:
    """Another memo for who writes to it, and an empty one for who reads."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo

    def get(self, kind: str, key: str) -> bytes | None:  # noqa: ARG002 (as every memo is asked)
        return None

    def put(self, kind: str, key: str, value: bytes) -> None:
        self._memo.put(kind, key, value)

    def sweep(self, before: Instant, *, dry: bool = False) -> Swept:
        return self._memo.sweep(before, dry=dry)
