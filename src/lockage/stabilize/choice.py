"""Which passes run: every one that is on by itself, but for what a step or a caller says."""

from __future__ import annotations

import msgspec

__all__ = ["EVERY_DEFAULT", "Choice"]


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Passes switched on and off by name; ``only`` names all that may run. What is named in ``off`` never runs."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def takes(self, name: str, *, by_itself: bool) -> bool:
        """Whether the pass of this name runs; ``by_itself``: it is on unless somebody says otherwise."""
        if name in self.off:
            return False
        return name in self.only or name in self.on if self.only else by_itself or name in self.on


EVERY_DEFAULT = Choice()
