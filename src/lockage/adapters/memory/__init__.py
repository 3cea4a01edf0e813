"""Fakes that keep everything in memory: for tests of what is above the ports; they pass the same contract suites."""

from lockage.adapters.memory.clock import FixedClock
from lockage.adapters.memory.ledger import MemoryLedger
from lockage.adapters.memory.store import MemoryActionCache, MemoryBlobs, MemoryMemo

__all__ = ["FixedClock", "MemoryActionCache", "MemoryBlobs", "MemoryLedger", "MemoryMemo"]
