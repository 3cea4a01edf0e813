"""Which of the host's CPUs run which step: shared out evenly, whoever runs them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lockage.ports import TooManyCpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.ports import ExecutionRequest

__all__ = ["CpuShare"]


class CpuShare:
    """CPUs of this host that steps may use; safe from any thread."""

    def __init__(self, cpus: tuple[int, ...]) -> None:
        self._cpus = cpus
        self._load = dict.fromkeys(cpus, 0)
        self._lock = threading.Lock()

    def take(self, request: ExecutionRequest) -> list[int]:
        """The least busy CPUs, as many as declared; ties go to the first or the last, as the world says. Raises :class:`TooManyCpus`."""
        self.check(request)
        order = self._cpus if request.world.affinity == "first" else self._cpus[::-1]
        count = min(request.world.cpus or request.action.cpus, len(order))
        with self._lock:
            least = self._load.__getitem__
            found = [min(order, key=least)] if count == 1 else sorted(order, key=least)[:count]
            for cpu in found:
                self._load[cpu] += 1
        return found

    def check(self, request: ExecutionRequest) -> None:
        """Raises :class:`TooManyCpus` if there are not as many as declared."""
        if request.action.cpus > len(self._cpus):
            raise TooManyCpus(
                f"the step declares {request.action.cpus} CPUs, this host has {len(self._cpus)}",
                expected=request.action.cpus,
                found=len(self._cpus),
            )

    def give_back(self, cpus: Sequence[int]) -> None:
        """Those that were taken."""
        with self._lock:
            for cpu in cpus:
                self._load[cpu] -= 1
