"""Fakes that keep everything in memory: for tests of what is above the ports; they pass the same contract suites."""

from lockage.adapters.memory.clock import FixedClock
from lockage.adapters.memory.folders import MemoryFolders
from lockage.adapters.memory.latches import MemoryLatches
from lockage.adapters.memory.ledger import MemoryLedger
from lockage.adapters.memory.pins import MemoryPins
from lockage.adapters.memory.runs import MemoryRuns
from lockage.adapters.memory.store import MemoryActionCache, MemoryBlobs, MemoryMemo
from lockage.adapters.memory.workers import MemoryWorkers

__all__ = [
    "FixedClock",
    "MemoryActionCache",
    "MemoryBlobs",
    "MemoryFolders",
    "MemoryLatches",
    "MemoryLedger",
    "MemoryMemo",
    "MemoryPins",
    "MemoryRuns",
    "MemoryWorkers",
]
