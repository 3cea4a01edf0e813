"""What a run records about the machine that it ran on; the words stand in records, in evidence and in policies."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["HostFact"]


class HostFact(StrEnum):
    """One thing that is recorded of a machine, as text; what could not be found out is left out."""

    SYSTEM = "system"
    KERNEL = "kernel"
    MACHINE = "machine"
    CPU = "cpu"
    #: The flags of the first CPU, with spaces between them.
    CPU_FEATURES = "cpu-features"
    CPUS = "cpus"
    #: In bytes.
    MEMORY = "memory"
    LOCKAGE = "lockage"
    PYTHON = "python"
    SANDBOX = "sandbox"
    STORE_FILE_SYSTEM = "store-file-system"
    CONTROL_GROUPS = "control-groups"
