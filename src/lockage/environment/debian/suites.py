"""Several suites as one index: which package is in which, and which suite's packages are tried first.

A suite that updates the base (``bookworm-updates``, ``bookworm-security``) counts as one with it, so that the newest version is
taken, as apt does for suites of one priority. Every other one comes after those named before it: its packages are taken only where no
earlier suite has one that fits, or where a term names it (``NAME/SUITE``). So does one that asks for that (``NotAutomatic``: backports).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockage.environment.debian.control import Release, Stanza

__all__ = ["Index", "IndexedSuite", "index_of"]


class IndexedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite as it was asked for, with its Release file and its packages."""

    name: str
    release: Release
    stanzas: Sequence[Stanza]

    @property
    def names(self) -> frozenset[str]:
        """What terms may call it."""
        return frozenset(filter(None, (self.name, self.release.codename, self.release.suite)))


class Index:
    """The packages of one or more suites, each once; packages that are in no suite any more are tried as those of the first."""

    def __init__(self, stanzas: Sequence[Stanza], suites: Sequence[IndexedSuite] = (), tiers: dict[str, int] | None = None) -> None:
        self.stanzas = stanzas
        self._suites = suites
        self._tiers = tiers or {}
        self._within: dict[str, frozenset[str]] = {}

    def tier(self, sha256: str) -> int:
        """Which suites a package comes from, those tried first being 0."""
        return self._tiers.get(sha256, 0)

    def known(self, suite: str) -> bool:
        """Whether that is the name of one of the suites."""
        return any(suite in one.names for one in self._suites)

    def within(self, sha256: str, suite: str) -> bool:
        """Whether a suite of that name has the package."""
        found = self._within.get(suite)
        if found is None:
            found = frozenset(stanza.sha256 for one in self._suites if suite in one.names for stanza in one.stanzas)
            self._within[suite] = found
        return sha256 in found

    @property
    def names(self) -> tuple[str, ...]:
        """The suites as they were asked for."""
        return tuple(one.name for one in self._suites)

    def beside(self, stanzas: Sequence[Stanza]) -> Index:
        """The same with more packages."""
        return Index([*self.stanzas, *stanzas], self._suites, self._tiers)


def index_of(suites: Sequence[IndexedSuite]) -> Index:
    """The index of suites, the base first."""
    base, *further = suites
    if not further:
        return Index(base.stanzas, suites)
    updates = [one for one in further if _updates(one, base)]
    stanzas: list[Stanza] = []
    tiers: dict[str, int] = {}
    seen: set[str] = set()
    for tier, group in enumerate([[base, *updates], *([one] for one in further if one not in updates)]):
        for one in group:
            for stanza in one.stanzas:
                if stanza.sha256 not in seen:
                    seen.add(stanza.sha256)
                    stanzas.append(stanza)
                    if tier:
                        tiers[stanza.sha256] = tier
    return Index(stanzas, suites, tiers)


def _updates(suite: IndexedSuite, base: IndexedSuite) -> bool:
    return not suite.release.not_automatic and any(one.startswith(f"{name}-") for one in suite.names for name in base.names)
