"""Where packages and files come from: mirrors, indexes, and addresses that recipes name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from lockage.base.digest import BlobRef
    from lockage.base.instant import Instant
    from lockage.environment.base import OsBase
    from lockage.environment.debian import PackagedFile, Release, Stanza
    from lockage.environment.lock import LockedPackage, LockedSdist, LockedWheel
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock import Pin
    from lockage.environment.stand_in import Offer, Resolution, StandIn
    from lockage.recipe.model import FetchInput


class OsPackages(Protocol):
    """A verified package index and its packages. Raises the mirror, release and package errors above."""

    def index(
        self, base: OsBase, architecture: str, *, components: Sequence[str] = ("main",), stale: bool = False, keyring: bytes | None = None
    ) -> tuple[Release, Sequence[Stanza]]:
        """The suite's signed Release, verified, and every package stanza of these components.

        ``stale``: a Release that is out of date is accepted, and says so. ``keyring``: it alone says who may sign; without one those
        whom the machine trusts for the distribution.
        """
        ...

    def fetch(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> None:
        """Make sure that every package is in the blobs, whole; downloads in parallel what is not.

        ``as_of`` is the date of the Release file that the packages were locked from: archives of old packages are asked for that time.
        """
        ...

    def arriving(
        self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None
    ) -> AbstractContextManager[Iterator[LockedPackage]]:
        """The same, but each package is given as soon as it is in the blobs, so that something can be done with it meanwhile.

        The iterator raises what fetching raises. What was not taken from it when the context ends may not be kept.
        """
        ...

    def files(self, base: OsBase, architecture: str, endings: Sequence[str]) -> Sequence[PackagedFile]:
        """The files of the suite's packages whose paths end in one of these (``/zlib.h``), of the kinds that builds look for.

        ``architecture`` may be ``all``: the packages that are the same for every architecture, and only those. Answers from what is
        kept if that is not old, or if nobody can be asked.
        """
        ...


class PythonIndex(Protocol):
    """Resolves requirements, fetches wheels and sdists. It runs nothing of any project."""

    def resolve(
        self,
        requirements: Sequence[str],
        target: PythonTarget,
        *,
        constraints: Sequence[str] = (),
        offers: Sequence[Offer] = (),
        pinned: Sequence[LockedWheel] = (),
        preferred: Sequence[LockedWheel | LockedSdist] = (),
        renewed: Collection[str] = (),
        as_of: Instant | None = None,
    ) -> Resolution:
        """The wheels, and the versions to be built, that satisfy the requirements together, within the constraints.

        Of a project with an offer one of its stand-ins is chosen, of every other a wheel; the :class:`Unresolvable` that is raised
        otherwise has ``packages`` in its details: the projects for want of whose wheels it may be.

        ``pinned`` wheels are there already: no other version of them is chosen, and they are not part of the answer. ``preferred``
        versions are taken as long as the requirements allow it; but projects that are ``renewed`` (normalised names) get the versions
        that they would have if nothing was preferred. What was not uploaded before ``as_of`` does not count; an index that does not
        say when it was raises :class:`NoUploadTimes`.
        """
        ...

    def sdists(self, name: str, *, as_of: Instant | None = None) -> Offer:
        """The versions of a project (its normalised name) that have an sdist, without those that were withdrawn.

        Raises :class:`NoUploadTimes` as :meth:`resolve` does.
        """
        ...

    def keep_sdist(self, stand_in: StandIn) -> BlobRef:
        """Bring the sdist of a stand-in into the blobs. Raises :class:`PackageChanged`, :class:`PackageVanished`."""
        ...

    def take(self, pins: Sequence[Pin], target: PythonTarget) -> tuple[LockedWheel, ...]:
        """The wheels that pins name, sorted and kept: by file name and sha256, or the one that fits best of those with the sha256.

        Raises :class:`Unresolvable` if none of a pin's wheels fits, :class:`PackageVanished`, :class:`PackageChanged`.
        """
        ...

    def fetch(self, files: Sequence[LockedWheel | LockedSdist]) -> None: ...


class Downloads(Protocol):
    """Files from anywhere, by address and sha256."""

    def fetch(self, inputs: Sequence[FetchInput]) -> list[BlobRef]:
        """Make sure that every input is in the blobs, whole; downloads in parallel what is not, from the first address that has it.

        Raises :class:`InputVanished`, :class:`InputChanged`, :class:`ServiceUnreachable`; whatever was whole by then is kept.
        """
        ...
