"""The variables of a step in a world: exactly those of its action, but for what the world changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.modes import instructions
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.plan.action import Action
    from lockage.variation.world import World

__all__ = ["CLOCK", "LOCALES", "variables"]

#: Where instruments appear in a sandbox that needs them.
CLOCK = "/run/instruments/libfaketime.so.1"
LOCALES = "/run/instruments/locales"

#: Zones as POSIX rules, for roots without tzdata, where a zone's name would silently mean UTC.
_ZONES = {"Asia/Kathmandu": "<+0545>-5:45"}

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
        changed |= {"LD_PRELOAD": CLOCK, **instructions(action, world)}
    given = dict(world.noise) | dict(action.variables) | changed
    return tuple(given.items())
