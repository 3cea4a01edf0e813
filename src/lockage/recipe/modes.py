"""Modes: what a step may ask to be held still beyond what the contract fixes. Part of its action; a mode beats the axis that varies it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["MODES", "PRELOADED", "Mode", "ModeFacts"]

#: The package with the library by which some modes are held.
PRELOADED = "libfaketime"


class Mode(StrEnum):
    """One thing held still for a step, in every world."""

    FIXED_ADDRESSES = "fixed-addresses"
    FIXED_PIDS = "fixed-pids"
    FIXED_RANDOM = "fixed-random"
    FROZEN_CLOCK = "frozen-clock"
    SINGLE_CPU = "single-cpu"


class ModeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a mode holds, who escapes it, and what it endangers; ``preloads`` says that it needs libfaketime, which the lock pins.

    ``axes`` are those that change nothing for a step with this mode.
    """

    holds: str
    escapes: str
    danger: str
    preloads: bool = False
    axes: tuple[str, ...] = ()


_STATIC = "statically linked programs, and those that ask the kernel without the C library (Go)"

#: In the order of the documentation.
MODES: dict[Mode, ModeFacts] = {
    Mode.FROZEN_CLOCK: ModeFacts(
        holds="The time of day stands at SOURCE_DATE_EPOCH, as the C library tells it; so do times of files, for programs that ask by "
        "`stat`, `lstat` and `fstat`. Clocks that only count on, sleeps and time-outs go their pace.",
        escapes=f"{_STATIC}; times of files for programs that ask by `stat64`, `fstatat` or `statx` (Python, coreutils)",
        danger="What waits for the time of day to pass waits for ever. `make` finds that nothing is newer than anything else.",
        preloads=True,
        axes=("clock",),
    ),
    Mode.SINGLE_CPU: ModeFacts(
        holds="The step sees one CPU and runs on one, whatever `cpus` says.",
        escapes="the order in which threads and processes take turns on it",
        danger="It is slower.",
        axes=("cpu-count",),
    ),
    Mode.FIXED_ADDRESSES: ModeFacts(
        holds="Programs and libraries are loaded at the same addresses each time: no address space randomisation.",
        escapes="what is loaded or allocated first: another locale, a moved clock (`verify`), what a program reads; another kernel",
        danger="None for what is built.",
        axes=("address-layout",),
    ),
    Mode.FIXED_PIDS: ModeFacts(
        holds="Every process is told that its own id is 1000. Without this mode ids count up from 2 in every step already, so that "
        "only steps that run things side by side see others.",
        escapes=f"{_STATIC}; ids of other processes: `$!`, `fork`, `/proc`",
        danger="What signals itself by its id, or names files by it beside other processes, goes wrong.",
        preloads=True,
    ),
    Mode.FIXED_RANDOM: ModeFacts(
        holds="`getrandom` and `getentropy` of the C library give the same numbers in every process, and `/dev/urandom` and "
        "`/dev/random` the same 1 MiB; so do `os.urandom`, `uuid.uuid4`, `secrets` and a `random` that nobody seeded.",
        escapes=f"{_STATIC}; `mkstemp` of the C library; `rdrand` of the CPU; what seeds itself by time, process id or addresses",
        danger="**Never for a step that makes keys, certificates, passwords, tokens or salts: whoever reads this page knows them.** What "
        "draws names until one is free draws the same ones in each process; what reads the devices for ever finds an end.",
        preloads=True,
    ),
}
