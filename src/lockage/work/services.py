"""What the use cases are given: one adapter per port, made by wiring when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage import ports
    from lockage.record.event import Event
    from lockage.schedule import Capacity

__all__ = ["Services"]


class Services(Protocol):
    """The adapters of one store on one machine, and what this process was told of the host."""

    @property
    def blobs(self) -> ports.Blobs: ...
    @property
    def cache(self) -> ports.ActionCache: ...
    @property
    def memo(self) -> ports.Memo: ...
    @property
    def clock(self) -> ports.Clock: ...
    @property
    def executor(self) -> ports.Executor: ...
    @property
    def roots(self) -> ports.Roots: ...
    @property
    def workers(self) -> ports.Workers: ...
    @property
    def runs(self) -> ports.Runs: ...
    @property
    def os_packages(self) -> ports.OsPackages: ...
    @property
    def python_index(self) -> ports.PythonIndex: ...
    @property
    def capacity(self) -> Capacity: ...
    @property
    def host(self) -> dict[str, str]: ...
    @property
    def tell(self) -> Callable[[Event], None]: ...
