"""Runs actions in bubblewrap: the determinism contract on one machine, without root and without cgroups.

Invariants: a step sees its root, its workspace and its variables, and nothing of the host but what
docs/what-can-differ.md lists; whatever happens, no process and no half-written output stays behind.
"""

from lockage.adapters.sandbox_bwrap.executor import BwrapExecutor
from lockage.adapters.sandbox_bwrap.support import lacking

__all__ = ["BwrapExecutor", "lacking"]
