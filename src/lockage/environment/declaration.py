"""What a recipe says of an environment, before anything is resolved."""

from __future__ import annotations

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.name import ProjectName
from lockage.base.path import RelPath

__all__ = ["Declaration", "OsBase", "PythonLock"]


class OsBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The distribution and suite that OS packages come from; its text is ``debian:bookworm``."""

    distribution: str
    suite: str

    def __str__(self) -> str:
        return f"{self.distribution}:{self.suite}"

    @classmethod
    def parse(cls, text: str) -> OsBase:
        """Read ``DISTRIBUTION:SUITE``; raises ValueError."""
        distribution, colon, suite = text.partition(":")
        if distribution != "debian" or not colon or not suite or not all(c.isascii() and (c.isalnum() or c in "-.") for c in suite):
            raise ValueError(f"not an operating system base (debian:SUITE): {text[:80]!r}")
        return cls(distribution=distribution, suite=suite)


class PythonLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another tool's lock file whose pins are taken over: its path in the source, and what of it is asked for.

    ``groups`` and ``extras`` come on top of what ``project`` itself needs (none: the file's only project, or the one at its top).
    ``sha256`` is that of the file's bytes, known once the source was read; with it a change of the file is a change of what is declared.
    """

    file: RelPath
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    project: ProjectName | None = None
    sha256: Digest | None = None


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An environment as declared: OS packages as Debian dependency terms, Python requirements as PEP 508 text, variables.

    Variables are given to every step of the environment and are part of its actions, not of its root. ``python_lock`` is left out
    of the encoding where there is none, so that declarations without one have the digest they always had.
    """

    os: OsBase
    packages: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    python_lock: PythonLock | msgspec.UnsetType = msgspec.UNSET

    @property
    def digest(self) -> Digest:
        """Identity of what the lock depends on: everything but the variables."""
        return Digest.of(canonical_of(msgspec.structs.replace(self, variables={})))
