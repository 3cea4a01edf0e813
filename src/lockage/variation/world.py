"""Everything about a sandbox and its host that a step must not depend on: what the contract fixes, and what `verify` varies.

:data:`CONTRACT` is the world every build runs in. A verification runs the same action in other worlds.
"""

from __future__ import annotations

import msgspec

__all__ = ["CONTRACT", "World"]

_Variables = tuple[tuple[str, str], ...]


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One set of values for a sandbox; the defaults are contract version 1 (docs/what-can-differ.md).

    Sandbox side: ``build_path`` is the working directory; ``clock_offset`` is in seconds (0: the real clock);
    ``file_order`` is ``sorted``, ``reversed`` or ``shuffled:SEED`` and is the order in which the workspace is filled;
    ``source_times`` is ``fixed``, ``earlier`` (all alike) or ``spread``, ``source_modes`` ``plain``, ``shared`` or ``private``;
    ``cpus`` overrides the count that the step sees (None: what it declares); ``noise``, ``ci``, ``desktop``, ``proxy``, ``screen``,
    ``jobs`` and ``features`` are extra environment variables; ``search_path`` are folders put around those of PATH, half before and half
    behind; ``settings`` and ``leftovers`` put files into the home directory and the one for temporary files; ``last_pid`` is the process id
    before the step's (0: as it comes); ``twice`` runs the command again over what it made; ``memory`` is in MiB, ``stack`` in bytes.
    Host side: ``root_order`` other than ``stored`` means that the root is first copied elsewhere in that order;
    ``affinity`` picks which of the host's CPUs are used (``first`` or ``last``); ``old_kernel`` is the UNAME26 personality; ``uptime`` is
    in seconds, added to the host's; ``room`` multiplies the size of the writable folders; ``load`` counts busy processes beside the step.
    """

    build_path: str = "/build"
    uid: int = 1000
    gid: int = 1000
    user: str = "builder"
    group: str = "builder"
    full_name: str = "builder"
    login_shell: str = "/bin/sh"
    home: str = "/home/builder"
    settings: bool = False
    hostname: str = "lockage"
    domain: str = ""
    machine_id: str = "6c6f636b616765000000000000000001"
    boot_id: str = "6c6f636b-6167-4500-8000-000000000001"
    timezone: str = "UTC"
    locale: str = "C.UTF-8"
    umask: int = 0o022
    temporary: str = "/tmp"
    leftovers: bool = False
    file_order: str = "sorted"
    source_times: str = "fixed"
    source_modes: str = "plain"
    on_disk: bool = False
    repository: bool = False
    cpus: int | None = None
    cpu_model: str = "lockage"
    memory: int = 8192
    clock_offset: int = 0
    hash_seed: str = "0"
    perl_seed: str = "0"
    noise: _Variables = ()
    ci: _Variables = ()
    desktop: _Variables = ()
    proxy: _Variables = ()
    screen: _Variables = ()
    jobs: _Variables = ()
    features: _Variables = ()
    search_path: tuple[str, ...] = ()
    variable_order: str = "given"
    terminal: bool = False
    piped_input: bool = False
    open_files: int = 1024
    stack: int = 8 << 20
    ignored_signals: bool = False
    other_shell: bool = False
    last_pid: int = 0
    loopback: bool = True
    narrow: bool = False
    twice: bool = False
    root_order: str = "stored"
    affinity: str = "first"
    old_kernel: bool = False
    fixed_addresses: bool = False
    niceness: int = 0
    uptime: int = 0
    room: int = 1
    load: int = 0

    @property
    def added(self) -> _Variables:
        """The environment variables that no step asked for."""
        return (*self.noise, *self.ci, *self.desktop, *self.proxy, *self.screen, *self.jobs, *self.features)


CONTRACT = World()
