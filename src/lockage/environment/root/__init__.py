"""From unpacked packages to a root: the rules of the realiser, as data and pure functions.

The names are imported when first asked for: a build in a root that is kept puts none together. No module has the name of what is in it,
which it would take from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.environment.root.assembling import Entries, assemble, stacked, with_aliases, with_parents
    from lockage.environment.root.completing import complete, python_of
    from lockage.environment.root.entry import Entry, Kind, Member, Package, member_path, normal_mode, refuse_escaping_link
    from lockage.environment.root.errors import InvalidPackage, PackagesCollide, UnsupportedPackage
    from lockage.environment.root.identity import metadata_bytes, node_rows, root_ref, tree_of
    from lockage.environment.root.rules import LOCAL

__all__ = [
    "LOCAL",
    "Entries",
    "Entry",
    "InvalidPackage",
    "Kind",
    "Member",
    "Package",
    "PackagesCollide",
    "UnsupportedPackage",
    "assemble",
    "complete",
    "member_path",
    "metadata_bytes",
    "node_rows",
    "normal_mode",
    "python_of",
    "refuse_escaping_link",
    "root_ref",
    "stacked",
    "tree_of",
    "with_aliases",
    "with_parents",
]

_MODULES = ("rules", "errors", "entry", "identity", "assembling", "completing")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f"lockage.environment.root.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'lockage.environment.root' has no attribute {name!r}")
