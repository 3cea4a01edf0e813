"""Runs steps on the host as it is: no namespaces, and so no sandbox (docs/sandbox.md#on-the-host)."""

from __future__ import annotations

from lockage.adapters.sandbox_host.executor import HostExecutor

__all__ = ["HostExecutor"]
