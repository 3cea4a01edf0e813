"""From unpacked packages to a root: the rules of the realiser, as data and pure functions."""

from lockage.environment.root.assemble import Entries, assemble, stacked, with_aliases, with_parents
from lockage.environment.root.complete import complete, python_of
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
