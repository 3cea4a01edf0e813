"""What an environment's table says of where its OS packages come from, beside the base suite, and for which platforms it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath
from lockage.environment.declaration import ARCHITECTURES, Architecture, Keyring, Suites, read_platform
from lockage.recipe.reader import shown

if TYPE_CHECKING:
    from lockage.environment.base import OsBase
    from lockage.recipe.reader import Table

__all__ = ["platforms_of", "suites_of"]


def suites_of(table: Table, base: OsBase | None) -> Suites | msgspec.UnsetType:
    """The suites, components and trust that the table declares; unset where it declares nothing. Its faults are reported."""
    further = table.texts("suites", Suites.read_name, "suites") or ()
    components = table.texts("components", Suites.read_component, "components")
    stale = table.texts("allow-stale", Suites.read_name, "suites") or ()
    keyring = table.text("keyring", RelPath, "the path of a keyring in the source")
    if components is not None and not components and not table.has_items("components"):
        table.fault("components", "an environment without a component has no packages", 'Leave it out for ["main"].')
    if base is not None:
        if base.suite in further:
            table.fault("suites", f"{shown(base.suite)} is the suite of `os` already")
        for number, suite in enumerate(stale):
            if suite not in (base.suite, *further):
                message = f"{shown(suite)} is none of the environment's suites, which are {', '.join((base.suite, *further))}"
                table.faults.add((*table.key, "allow-stale", number), message)
    found = Suites(
        further=further,
        components=components or Suites.MAIN,
        stale=tuple(sorted(stale)),
        keyring=None if keyring is None else Keyring(file=keyring),
    )
    return msgspec.UNSET if found == Suites() else found


def platforms_of(table: Table) -> tuple[Architecture, ...] | msgspec.UnsetType:
    """The platforms that the table declares, sorted; unset where it declares none. Its faults are reported."""
    found = table.texts("platforms", read_platform, "platforms")
    if found is None:
        return msgspec.UNSET
    if not found and not table.has_items("platforms"):
        table.fault("platforms", "an environment for no platform cannot be locked", "Leave it out for that of the machine.")
    return tuple(platform for platform in ARCHITECTURES if platform in found)
