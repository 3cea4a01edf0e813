"""Everything about a sandbox and its host that a step must not depend on: what the contract fixes, and what `verify` varies.

:data:`CONTRACT` is the world every build runs in. A verification runs the same action in other worlds.
"""

from __future__ import annotations

import msgspec

__all__ = ["CONTRACT", "World"]


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One set of values for a sandbox; the defaults are contract version 1 (docs/what-can-differ.md).

    Sandbox side: ``build_path`` is the working directory; ``clock_offset`` is in seconds (0: the real clock);
    ``file_order`` is ``sorted``, ``reversed`` or ``shuffled:SEED`` and is the order in which the workspace is filled;
    ``cpus`` overrides the count that the step sees (None: what it declares); ``noise`` are extra environment variables.
    Host side: ``root_order`` other than ``stored`` means that the root is first copied elsewhere in that order;
    ``affinity`` picks which of the host's CPUs are used (``first`` or ``last``); ``old_kernel`` is the UNAME26 personality.
    """

    build_path: str = "/build"
    uid: int = 1000
    gid: int = 1000
    user: str = "builder"
    home: str = "/home/builder"
    hostname: str = "lockage"
    timezone: str = "UTC"
    locale: str = "C.UTF-8"
    umask: int = 0o022
    temporary: str = "/tmp"
    file_order: str = "sorted"
    cpus: int | None = None
    clock_offset: int = 0
    hash_seed: str = "0"
    noise: tuple[tuple[str, str], ...] = ()
    root_order: str = "stored"
    affinity: str = "first"
    old_kernel: bool = False
    fixed_addresses: bool = False
    niceness: int = 0


CONTRACT = World()
