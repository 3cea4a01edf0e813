"""Implements the port ``Workers`` on this machine: see ``loop``."""

from __future__ import annotations

from lockage.adapters.workers_local.loop import LoopWorkers

__all__ = ["LoopWorkers"]
