"""The variables of a step in a world: exactly those of its action, but for what the world changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.recipe.modes import MODES, Mode
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.plan.action import Action
    from lockage.variation.world import World

__all__ = ["LOCALES", "PRELOAD", "preloaded", "variables"]

#: Where instruments appear in a sandbox that needs them.
PRELOAD = "/run/instruments/libfaketime.so.1"
LOCALES = "/run/instruments/locales"

#: Zones as POSIX rules, for roots without tzdata, where a zone's name would silently mean UTC.
_ZONES = {"Asia/Kathmandu": "<+0545>-5:45", "Etc/GMT+12": "<-12>12", "Etc/GMT-14": "<+14>-14"}

#: What libfaketime begins with when it is asked for a random number, and what it calls every process (README, "Advanced features").
_SEED, _PID = "0x6c6f636b61676501", "1000"

_FIELDS = {
    "HOME": "home",
    "LOGNAME": "user",
    "PYTHONHASHSEED": "hash_seed",
    "TMPDIR": "temporary",
    "USER": "user",
}


def zone(timezone: str, root: Path) -> str:
    """The value of TZ: the zone's name if the root knows it, else its rule."""
    if (root / "usr/share/zoneinfo" / timezone).is_file():
        return timezone
    return _ZONES.get(timezone, timezone)


def preloaded(action: Action, world: World) -> bool:
    """Whether libfaketime is asked for, by the world or by a mode of the action."""
    return bool(world.clock_offset) or any(MODES[mode].preloads for mode in action.modes)


def variables(action: Action, world: World, *, root: Path, clock: bool, locale: bool) -> tuple[tuple[str, str], ...]:
    """What the step finds in its environment, in this order; ``clock`` and ``locale`` tell which instruments are at hand."""
    changed = {name: str(getattr(world, field)) for name, field in _FIELDS.items() if getattr(world, field) != getattr(CONTRACT, field)}
    if world.timezone != CONTRACT.timezone:
        changed["TZ"] = zone(world.timezone, root)
    if locale:
        changed |= {"LANG": world.locale, "LC_ALL": world.locale, "LOCPATH": LOCALES}
    if world.locale in ("C", "POSIX"):
        changed |= {"LANG": world.locale, "LC_ALL": world.locale}
    if clock:
        changed |= _instructions(action, world)
    own = dict(action.variables)
    if world.perl_seed != CONTRACT.perl_seed and own.get("PERL_HASH_SEED") == CONTRACT.perl_seed:  # a recipe may set its own
        changed["PERL_HASH_SEED"] = world.perl_seed
    if world.search_path:
        half = len(world.search_path) // 2
        changed["PATH"] = ":".join((*world.search_path[:half], own.get("PATH", ""), *world.search_path[half:]))
    given = tuple((dict(world.added) | own | changed).items())
    return given if world.variable_order == CONTRACT.variable_order else given[::-1]


def _instructions(action: Action, world: World) -> dict[str, str]:
    """What libfaketime is told. The monotonic clock keeps its pace in any case: timeouts depend on it."""
    found = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "LD_PRELOAD": PRELOAD}
    if Mode.FROZEN_CLOCK in action.modes:  # seconds since 1970: any other form would be read in the step's own time zone
        found |= {"FAKETIME": dict(action.variables).get("SOURCE_DATE_EPOCH", str(int(ZIP_FLOOR))), "FAKETIME_FMT": "%s"}
    else:  # files keep their real times: make depends on them
        found |= {"FAKETIME": f"{world.clock_offset:+d}", "NO_FAKE_STAT": "1"}
    if Mode.FIXED_RANDOM in action.modes:
        found["FAKERANDOM_SEED"] = _SEED
    if Mode.FIXED_PIDS in action.modes:
        found["FAKETIME_FAKEPID"] = _PID
    return found
