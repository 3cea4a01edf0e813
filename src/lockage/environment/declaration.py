"""What a recipe says of an environment, before anything is resolved."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, get_args

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.base import Base, HostBase, ImageBase, OsBase, archive_of, the_base

__all__ = ["ARCHITECTURES", "Architecture", "Declaration", "Keyring", "PythonLock", "PythonRules", "Suites", "read_platform"]

#: The platforms that environments are locked for, by Debian's names of their architectures.
Architecture = Literal["amd64", "arm64"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

_SUITE = re.compile("[A-Za-z0-9][A-Za-z0-9.-]*")
_COMPONENT = re.compile("[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9.-]+)*")


def read_platform(text: str) -> Architecture:
    """The name of a platform, ``amd64`` or ``arm64``; raises ValueError."""
    for known in ARCHITECTURES:
        if text == known:
            return known
    raise ValueError(f"not a platform ({' or '.join(ARCHITECTURES)}): {text[:80]!r}")


class Keyring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of OpenPGP certificates in the source, which alone vouch for an environment's suites.

    ``sha256`` is that of the file's bytes, known once the source was read; with it a change of the file is a change of what is declared.
    """

    file: RelPath
    sha256: Digest | None = None


class Suites(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where OS packages come from besides ``main`` of the base suite, and what is taken on trust.

    ``further`` are more suites of the same distribution, the preferred ones first; ``components`` count in every suite; ``stale`` are
    the suites whose Release file may be past its ``Valid-Until``, or older than one that was seen before.
    """

    MAIN: ClassVar[tuple[str, ...]] = ("main",)

    further: tuple[str, ...] = ()
    components: tuple[str, ...] = MAIN
    stale: tuple[str, ...] = ()
    keyring: Keyring | None = None

    @classmethod
    def read_name(cls, text: str) -> str:
        """The name of a suite, such as ``bookworm-backports``; raises ValueError."""
        if not _SUITE.fullmatch(text):
            raise ValueError(f"not the name of a suite: {text[:80]!r}")
        return text

    @classmethod
    def read_component(cls, text: str) -> str:
        """The name of a component, such as ``contrib``; raises ValueError."""
        if not _COMPONENT.fullmatch(text):
            raise ValueError(f"not the name of a component: {text[:80]!r}")
        return text


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


class PythonRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Python requirements are resolved, beside what they say themselves.

    ``constraints`` (PEP 508) limit versions and ask for nothing. Projects ``from_source`` (normalised names), or ``all_from_source``, are
    built from their sdists though they have wheels. ``build_packages`` are Debian terms by project: what its build needs beside what
    every build has.
    """

    constraints: tuple[str, ...] = ()
    from_source: tuple[ProjectName, ...] = ()
    all_from_source: bool = False
    build_packages: dict[ProjectName, tuple[str, ...]] = {}


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An environment as declared: OS packages as Debian dependency terms, Python requirements as PEP 508 text, variables.

    Exactly one of ``os``, ``image`` and ``host`` is set: what it begins with, which is its ``base``.
    ``interpreter`` is the absolute path of the Python of an image that Python packages are for, if not the usual one.
    Variables are given to every step of the environment and are part of its actions, not of its root. Bases,
    ``python_lock``, ``suites`` and ``python_rules`` are left out of the encoding where there are none, so that declarations without
    them have the digest they always had.
    ``platforms``, sorted, are those that it is locked for; without them that is the one of the machine on which it is locked.
    """

    os: OsBase | msgspec.UnsetType = msgspec.UNSET
    image: ImageBase | msgspec.UnsetType = msgspec.UNSET
    host: HostBase | msgspec.UnsetType = msgspec.UNSET
    packages: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    interpreter: str | msgspec.UnsetType = msgspec.UNSET
    python_lock: PythonLock | msgspec.UnsetType = msgspec.UNSET
    suites: Suites | msgspec.UnsetType = msgspec.UNSET
    python_rules: PythonRules | msgspec.UnsetType = msgspec.UNSET
    platforms: tuple[Architecture, ...] | msgspec.UnsetType = msgspec.UNSET

    def platforms_on(self, machine: Architecture) -> tuple[Architecture, ...]:
        """The platforms that it is locked for by a machine of this one."""
        return self.platforms if isinstance(self.platforms, tuple) else (machine,)

    @property
    def base(self) -> Base:
        """What it begins with; an image whatever place it is had from."""
        return the_base(self.os, self.image if isinstance(self.image, msgspec.UnsetType) else self.image.identity, self.host)

    @property
    def archive(self) -> OsBase:
        """The suite that its OS packages come from; only where that is its base."""
        return archive_of(self.base)

    @property
    def names_files(self) -> bool:
        """Whether it names files of the source, whose bytes are part of what is declared."""
        return isinstance(self.python_lock, PythonLock) or (isinstance(self.suites, Suites) and self.suites.keyring is not None)

    @property
    def digest(self) -> Digest:
        """Identity of what is resolved, the same for each platform: all but variables, platforms, and where an image is had from."""
        image = self.image if isinstance(self.image, msgspec.UnsetType) else self.image.identity
        return Digest.of(canonical_of(msgspec.structs.replace(self, variables={}, platforms=msgspec.UNSET, image=image)))
