"""lockage.lock: the exact content of every environment, by name, version, file name and sha256; never by host.

Invariants: equal locks have equal bytes; one package a line, sorted, so that a change of one package is a change of one
line. The format is JSON (docs/formats/lock.md); its version and the realiser's are part of it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import decode_hook, plain
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.path import RelPath
from lockage.environment.base import Base, HostBase, LockedImage, OsBase, archive_of, the_base
from lockage.environment.declaration import Architecture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockage.base.name import EnvironmentName

__all__ = [
    "HOST_METADATA",
    "LOCK_VERSION",
    "REALISER",
    "SEVERAL_PLATFORMS",
    "UNPINNED",
    "InvalidLock",
    "Lock",
    "LockedEnvironment",
    "LockedPackage",
    "LockedSdist",
    "LockedSuite",
    "LockedWheel",
    "RootRef",
]

LOCK_VERSION = 1
#: The format of a lock that holds an environment for several platforms; any other is written as it always was.
SEVERAL_PLATFORMS = 2
#: The newest realiser (see environment/root): which rules turn packages into a root. Old ones are kept.
REALISER = 2
#: More builders of builders are an attempt at something else.
_DEEPEST = 50


class InvalidLock(Usage):
    """lockage.lock is not a lock of a version this lockage reads."""

    code = "invalid-lock"
    hint = "Restore lockage.lock from version control, or write it anew with `lockage lock`."


class LockedPackage(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """One OS package: ``path`` is the archive's path below a mirror's base, such as ``pool/main/d/dash/dash_0.5.12-2_amd64.deb``."""

    name: str
    version: str
    architecture: str
    path: RelPath
    size: int
    sha256: Digest

    @property
    def ref(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class LockedWheel(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """One Python package, always a wheel; ``name`` is normalised."""

    name: str
    version: str
    file: RelPath
    size: int
    sha256: Digest

    @property
    def ref(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class LockedSdist(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """One Python package that is built from its sdist; ``name`` is normalised.

    What its build is given is pinned, not what it makes: ``builder`` is the environment that it is built in, by its name among the
    environment's ``builders``; ``inference`` the number of the rules that tell from an sdist how it is built.
    """

    name: str
    version: str
    file: RelPath
    size: int
    sha256: Digest
    inference: int
    builder: str

    @property
    def ref(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class LockedSuite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One suite that packages came from, and which signed Release file told of them; ``stale``: it was out of date, and allowed to be."""

    suite: str
    release_date: str
    release_sha256: Digest
    stale: bool = False


class RootRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A root's identity: its REAPI tree digest, and the digest of the metadata that REAPI has no place for."""

    tree: BlobRef
    metadata: Digest

    @property
    def is_host(self) -> bool:
        """Whether this is no root but a machine as it is: ``tree`` is its fingerprint then (environment/host.py), once it is known."""
        return self.metadata == HOST_METADATA


#: Stands in the place of a root's metadata where there is no root: no root has it, so nothing made on a host is taken for what one gave.
HOST_METADATA = Digest.of(b"lockage: an unpinned host, which is no root")
#: The root of an environment that has none that could be pinned: what a lock says of a host, whose identity is found when it is used.
UNPINNED = RootRef(tree=BlobRef.of(b""), metadata=HOST_METADATA)


class LockedEnvironment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One environment, resolved: ``declaration`` is the digest of what it was resolved from.

    Exactly one of ``os``, ``image`` and ``host`` is set: what it begins with, which is its ``base``. ``os`` goes with
    ``release_date`` and ``release_sha256``, which tell what signed Release file the packages came from; they are information, not identity.
    ``instruments`` are packages that verification needs beside the root (libfaketime, locale sources); they are never part of it.
    A ``host`` has neither packages nor, in a lock, a root: whoever uses it puts the identity of the machine there (:meth:`Lock.bound`).
    ``added`` are the declared packages that an inferred recipe was told of, and could not have inferred. ``suites``, the base first, are
    written where more is to be told than the base's Release file. ``realiser`` is written unless it is the first. ``sdists`` are Python
    packages that are built before the root can be put together, in ``builders``, which are environments like this one.
    """

    declaration: Digest
    os: OsBase | msgspec.UnsetType = msgspec.UNSET
    image: LockedImage | msgspec.UnsetType = msgspec.UNSET
    host: HostBase | msgspec.UnsetType = msgspec.UNSET
    architecture: Architecture
    release_date: str | msgspec.UnsetType = msgspec.UNSET
    release_sha256: Digest | msgspec.UnsetType = msgspec.UNSET
    root: RootRef = UNPINNED
    packages: tuple[LockedPackage, ...] = ()
    python: tuple[LockedWheel, ...] = ()
    instruments: tuple[LockedPackage, ...] = ()
    added: tuple[str, ...] = ()
    suites: tuple[LockedSuite, ...] = ()
    realiser: int = 1
    sdists: tuple[LockedSdist, ...] = ()
    builders: dict[str, LockedEnvironment] = {}

    def with_wheels(self, built: Iterable[LockedWheel]) -> LockedEnvironment:
        """The environment with the wheels that its sdists made in their place: all that a root is put together from."""
        return msgspec.structs.replace(self, python=tuple(sorted((*self.python, *built))), sdists=(), builders={})

    @property
    def base(self) -> Base:
        """What it begins with."""
        return the_base(self.os, self.image if isinstance(self.image, msgspec.UnsetType) else self.image.base, self.host)

    @property
    def pulled(self) -> LockedImage | None:
        """The image that it begins with; None where it begins with something else."""
        return None if isinstance(self.image, msgspec.UnsetType) else self.image

    @property
    def archive(self) -> OsBase:
        """The suite that its OS packages come from; only where that is its base."""
        return archive_of(self.base)

    @property
    def newest_release(self) -> str | None:
        """The date of the newest Release file that packages came from; None where none did."""
        dates = (*(() if self.release_date is msgspec.UNSET else (self.release_date,)), *(suite.release_date for suite in self.suites))
        return max(dates, default=None)


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The whole of lockage.lock. One that was read keeps its bytes, so that its digest is that of the file whoever laid it out.

    ``realiser`` is the newest of its environments', so that who does not know it sees that at once. An environment that is declared for
    several platforms is there once for each (:mod:`lockage.environment.platforms`); :meth:`on` is how a platform sees the lock.
    """

    lock: int = LOCK_VERSION
    realiser: int = 1
    environments: dict[str, LockedEnvironment]

    @classmethod
    def of(cls, environments: dict[str, LockedEnvironment]) -> Lock:
        """The lock of these environments."""
        everything = (one for level in _levels(environments) for one in level.values())
        from lockage.environment.platforms import has_several  # what only reads a lock of one platform needs none of it

        return cls(
            lock=SEVERAL_PLATFORMS if has_several(environments) else LOCK_VERSION,
            realiser=max((one.realiser for one in everything), default=1),
            environments=environments,
        )

    def on(self, platform: Architecture) -> Lock:
        """The lock as it counts on one platform: what is locked for that, by the environments' names, in the file that it was."""
        everything = self.complete.environments
        if self.lock == LOCK_VERSION:
            found = {name: one for name, one in everything.items() if one.architecture == platform}
        else:
            from lockage.environment.platforms import of_platform

            found = of_platform(everything, platform)
        view = msgspec.structs.replace(self, environments=found)
        view.__dict__.update(_bytes=self._bytes, platform=platform, complete=self.complete)
        return view

    @cached_property
    def platform(self) -> Architecture | None:
        """The platform that this is the lock on; None if it is all of the lock."""
        return None

    @cached_property
    def complete(self) -> Lock:
        """The lock with the environments of every platform."""
        return self

    def bound(self, machines: Mapping[HostBase, RootRef], platform: Architecture) -> Lock:
        """The same lock, in the same bytes, in which hosts of the platform have the identity that the machine has as such a host."""

        def known(one: LockedEnvironment) -> LockedEnvironment:
            root = machines.get(one.host) if isinstance(one.host, HostBase) and one.architecture == platform else None
            return one if root is None else msgspec.structs.replace(one, root=root)

        def bound(lock: Lock) -> Lock:
            found = msgspec.structs.replace(lock, environments={name: known(one) for name, one in lock.environments.items()})
            found.__dict__.update(_bytes=lock._bytes, platform=lock.platform)
            return found

        view = bound(self)
        if self.complete is not self:
            view.__dict__["complete"] = bound(self.complete)
        return view

    def environment(self, name: EnvironmentName) -> LockedEnvironment | None:
        return self.environments.get(name)

    @property
    def digest(self) -> Digest:
        """The sha256 of the file's bytes."""
        return Digest.of(self.encode())

    def encode(self) -> bytes:
        """The file's bytes: as they were read; else JSON, keys in declared order, each package on a line of its own."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        from lockage.environment.lock_text import laid_out  # what only reads locks writes none

        return laid_out(plain(self))

    @classmethod
    def decode(cls, data: bytes) -> Lock:
        """Read the file; raises :class:`InvalidLock` with the path of what does not fit."""
        try:
            found = msgspec.json.decode(data, type=cls, dec_hook=decode_hook)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidLock(f"lockage.lock cannot be read: {error}") from error
        if found.lock not in (LOCK_VERSION, SEVERAL_PLATFORMS) or not 1 <= found.realiser <= REALISER:
            raise InvalidLock(
                f"lockage.lock has format {found.lock}, realiser {found.realiser}; this lockage knows {SEVERAL_PLATFORMS} and {REALISER}",
                hint="Use the lockage that wrote the lock, or a newer one.",
            )
        if found.lock == SEVERAL_PLATFORMS or any("@" in name for name in found.environments):
            from lockage.environment.platforms import misnamed

            if (wrong := misnamed(found.environments, several=found.lock == SEVERAL_PLATFORMS)) is not None:
                raise InvalidLock(f"lockage.lock cannot be read: {wrong}")
        for depth, level in enumerate(_levels(found.environments)):
            if depth > _DEEPEST:
                raise InvalidLock(f"lockage.lock cannot be read: builders lie more than {_DEEPEST} deep in builders")
            for name, environment in level.items():
                if not 1 <= environment.realiser <= found.realiser:
                    raise InvalidLock(f"lockage.lock has realiser {found.realiser}, but environment {name!r} has {environment.realiser}")
                begins = [one for one in (environment.os, environment.image, environment.host) if one is not msgspec.UNSET]
                if len(begins) != 1:
                    many = "none of os, image and host" if not begins else "more than one of os, image and host"
                    raise InvalidLock(f"lockage.lock cannot be read: environment {name!r} begins with {many}")
                if depth and environment.host is not msgspec.UNSET:  # what a host builds is never part of a root
                    raise InvalidLock(f"lockage.lock cannot be read: environment {name!r} is a host, on which nothing is built for a root")
                if (environment.root == UNPINNED) != (environment.host is not msgspec.UNSET):
                    what = "a root, and is a host" if environment.root != UNPINNED else "no root"
                    raise InvalidLock(f"lockage.lock cannot be read: environment {name!r} has {what}")
        found.__dict__["_bytes"] = data
        return found


def _levels(environments: Mapping[str, LockedEnvironment]) -> Iterator[Mapping[str, LockedEnvironment]]:
    """These environments, their builders, the builders of those, and so on, by name."""
    level = environments
    while level:
        yield level
        level = {f"{name}, to build {one}": builder for name, found in level.items() for one, builder in found.builders.items()}
