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
_ZONES = {"Asia/Kathmandu": "<+0545>-5:45", "Etc/GMT+12": "<-12>12", "Etc/GMT-14": "<+14>-14"}

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
    own = dict(action.variables)
    if world.perl_seed != CONTRACT.perl_seed and own.get("PERL_HASH_SEED") == CONTRACT.perl_seed:  # a recipe may set its own
        changed["PERL_HASH_SEED"] = world.perl_seed
    if world.search_path:
        half = len(world.search_path) // 2
        changed["PATH"] = ":".join((*world.search_path[:half], own.get("PATH", ""), *world.search_path[half:]))
    given = tuple((dict(world.added) | own | changed).items())
    return given if world.variable_order == CONTRACT.variable_order else given[::-1]
