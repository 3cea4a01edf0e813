"""Modes, as this sandbox holds them: the world that they leave a step, what libfaketime is told, and random numbers without a secret."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.sandbox_bwrap.instruments import clock_library
from lockage.adapters.sandbox_bwrap.spawn import ADDR_NO_RANDOMIZE, personality_works
from lockage.base.digest import Digest
from lockage.base.instant import ZIP_FLOOR
from lockage.ports import ModeUnavailable
from lockage.recipe.modes import MODES, Mode
from lockage.variation.held import held

if TYPE_CHECKING:
    from lockage.plan.action import Action
    from lockage.ports import ExecutionRequest
    from lockage.variation.world import World

__all__ = ["fixed_random", "instructions", "preloaded", "with_modes"]

#: What libfaketime begins with when it is asked for a random number, and what it calls every process (its README, from 0.9.10 on).
_SEED, _PID = "0x6c6f636b61676501", "1000"


def with_modes(request: ExecutionRequest) -> ExecutionRequest:
    """The request in the world that the action's modes leave it. Raises :class:`ModeUnavailable`."""
    modes = request.action.modes
    if not modes and not request.action.services:
        return request
    if Mode.FIXED_ADDRESSES in modes and not personality_works(ADDR_NO_RANDOMIZE):
        raise ModeUnavailable(f"this host does not allow the mode {Mode.FIXED_ADDRESSES}: personality(2) is forbidden", modes=modes)
    if any(MODES[mode].preloads for mode in modes) and clock_library(request.instruments) is None:
        raise ModeUnavailable(
            f"the modes {', '.join(modes)} need libfaketime, which lockage.lock does not pin for the step's environment",
            hint="Lock the environment anew with `lockage lock --upgrade`; if its suite has no libfaketime, do without the mode.",
            modes=modes,
        )
    return msgspec.structs.replace(request, world=held(request.world, modes, services=bool(request.action.services)))


def preloaded(action: Action, world: World) -> bool:
    """Whether libfaketime is asked for, by the world or by a mode of the action."""
    return bool(world.clock_offset) or any(MODES[mode].preloads for mode in action.modes)


def instructions(action: Action, world: World) -> dict[str, str]:
    """What libfaketime is told. The monotonic clock keeps its pace in any case: timeouts depend on it."""
    found = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    if Mode.FROZEN_CLOCK in action.modes:  # seconds since 1970: any other form would be read in the step's own time zone
        found |= {"FAKETIME": dict(action.variables).get("SOURCE_DATE_EPOCH", str(int(ZIP_FLOOR))), "FAKETIME_FMT": "%s"}
    else:  # files keep their real times: make depends on them
        found |= {"FAKETIME": f"{world.clock_offset:+d}", "NO_FAKE_STAT": "1"}
    if Mode.FIXED_RANDOM in action.modes:
        found["FAKERANDOM_SEED"] = _SEED
    if Mode.FIXED_PIDS in action.modes:
        found["FAKETIME_FAKEPID"] = _PID
    return found


@cache
def fixed_random() -> dict[str, bytes]:
    """The devices of random numbers as files of 1 MiB, by path: sha256 of a counter."""
    numbers = bytes.fromhex("".join(Digest.of(f"fixed-random {number}".encode()) for number in range(1 << 15)))
    return {"/dev/random": numbers, "/dev/urandom": numbers}
