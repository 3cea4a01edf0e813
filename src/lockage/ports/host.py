"""The machine itself, as builds on it without a sandbox see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.environment.host import Fingerprint

__all__ = ["HostSurvey"]


class HostSurvey(Protocol):
    """Looks at the machine without changing anything."""

    def fingerprint(self, path: Sequence[str]) -> Fingerprint:
        """What it is made of now, its programs looked for in the folders of ``path``; what cannot be read is left out."""
        ...
