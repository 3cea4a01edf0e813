"""Implements the port ``Executor`` by handing each action to whom it needs: the sandbox, or the host if that is its environment.

Invariant: what no action asks for is not made; a host without namespaces builds on itself all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.ports import Attached, ExecutionFailed, ExecutionRequest, Executor, Observed
    from lockage.ports.workers import Performance
    from lockage.record.result import ActionResult

__all__ = ["ExecutorRouter"]


class ExecutorRouter:
    """``sandbox`` and ``host`` make the executors when the first action asks for one."""

    def __init__(self, *, sandbox: Callable[[], Executor], host: Callable[[], Executor]) -> None:
        self._sandbox = sandbox
        self._host = host
        self._made: dict[bool, Executor] = {}

    def execute(self, request: ExecutionRequest) -> ActionResult | ExecutionFailed:
        """See :class:`lockage.ports.Executor`."""
        return self._for(request).execute(request)

    @property
    def performs(self) -> bool:
        """Whether one of those that were made does."""
        return any(executor.performs for executor in tuple(self._made.values()))

    def perform(self, request: ExecutionRequest) -> Performance | None:
        """See :class:`lockage.ports.Executor`."""
        return self._for(request).perform(request)

    def observe(self, request: ExecutionRequest) -> Observed:
        """See :class:`lockage.ports.Executor`."""
        return self._for(request).observe(request)

    def enter(self, request: ExecutionRequest, attached: Attached) -> int:
        """See :class:`lockage.ports.Executor`."""
        return self._for(request).enter(request, attached)

    def cancel(self) -> None:
        """Kill everything that is running."""
        for executor in list(self._made.values()):
            executor.cancel()

    def _for(self, request: ExecutionRequest) -> Executor:
        on_host = request.action.root.is_host
        found = self._made.get(on_host)
        if found is None:
            found = self._made.setdefault(on_host, self._host() if on_host else self._sandbox())
        return found
