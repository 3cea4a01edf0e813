"""What the use cases are given: one adapter per port, made by wiring when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from lockage import ports
    from lockage.base.name import PrincipalName
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.ports.host import HostSurvey
    from lockage.ports.images import BaseImages, ImageLayouts
    from lockage.record.event import Event
    from lockage.schedule.job import Capacity
    from lockage.variation import World

__all__ = ["Services"]


class Services(Protocol):
    """The adapters of one store on one machine, and what this process was told of the host."""

    @property
    def blobs(self) -> ports.Blobs: ...
    @property
    def cache(self) -> ports.ActionCache: ...
    @property
    def storage(self) -> ports.Storage: ...
    @property
    def memo(self) -> ports.Memo: ...
    @property
    def clock(self) -> ports.Clock: ...
    @property
    def executor(self) -> ports.Executor: ...
    @property
    def roots(self) -> ports.Roots: ...
    @property
    def survey(self) -> HostSurvey: ...
    @property
    def workers(self) -> ports.Workers: ...
    @property
    def latches(self) -> ports.Latches: ...
    @property
    def runs(self) -> ports.Runs: ...
    @property
    def os_packages(self) -> ports.OsPackages: ...
    @property
    def python_index(self) -> ports.PythonIndex: ...
    @property
    def downloads(self) -> ports.Downloads: ...
    @property
    def crate_registry(self) -> str | None:
        """The download address of the registry that crates come from; None if none is set."""
        ...

    @property
    def sources(self) -> ports.Sources: ...
    @property
    def surroundings(self) -> ports.Surroundings: ...
    @property
    def folders(self) -> ports.Folders: ...
    @property
    def image_layouts(self) -> ImageLayouts: ...
    @property
    def base_images(self) -> BaseImages: ...
    @property
    def ledger(self) -> ports.Ledger: ...
    @property
    def keys(self) -> ports.Keys: ...
    @property
    def pins(self) -> ports.Pins: ...
    @property
    def place(self) -> str:
        """How messages name this store."""
        ...

    @property
    def principal(self) -> PrincipalName:
        """Who signs when a store is begun."""
        ...

    def new_origin(self) -> str:
        """A name for a new ledger that no other has."""
        ...

    def new_seed(self) -> str:
        """A word that chooses samples, different every time."""
        ...

    def varied_roots(self, world: World) -> AbstractContextManager[Callable[[LockedEnvironment], RealisedRoot]]:
        """Roots as a world wants them: the store's own, or copies elsewhere that are removed at the end."""
        ...

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> dict[str, str]:
        """The choices of axes that cannot be made on this machine or with what these environments have, and why."""
        ...

    @property
    def architecture(self) -> Architecture: ...
    @property
    def capacity(self) -> Capacity: ...
    @property
    def host(self) -> dict[str, str]: ...
    @property
    def tell(self) -> Callable[[Event], None]: ...
