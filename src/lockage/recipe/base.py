"""What an environment's table says that it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import HostBase, OsBase
from lockage.recipe.reader import shown

if TYPE_CHECKING:
    from lockage.environment.base import Base
    from lockage.recipe.reader import Table

__all__ = ["UNPINNED_HOST", "base_of"]

#: The only value of `host`: whoever writes or reviews a recipe is to see what it gives up.
UNPINNED_HOST = "unpinned"
#: Keys that mean something only where packages are resolved.
_RESOLVED = (
    "packages",
    "python",
    "python-lock",
    "constraints",
    "from-source",
    "build-packages",
    "suites",
    "components",
    "allow-stale",
    "keyring",
)


def base_of(table: Table) -> Base | None:
    """The base that the table declares; None, and a fault, if that is not exactly one."""
    if table.has("host"):
        return _host(table)
    if table.has("path"):
        table.texts("path", str, "folders")
        table.fault("path", "folders to search belong to an environment that is the host", "What a root has is on its search path already.")
    return table.text("os", OsBase.parse, 'an operating system base such as "debian:bookworm"', required=True)


def _host(table: Table) -> HostBase | None:
    table.text("host", _unpinned, f'"{UNPINNED_HOST}"')
    path = table.texts("path", _folder, "folders of the host")
    for other in ("os", "image"):
        if table.raw(other) is not None:
            table.fault(other, f"an environment begins with one thing, and this one says {shown('host')} as well")
    for name in _RESOLVED:
        if table.has(name):
            table.fault(
                name,
                "an environment that is the host has what the host has: nothing is resolved for it",
                "Install it on the machine, or declare a suite (`os`) in the place of `host`.",
            )
    return HostBase(path=path or ())


def _unpinned(text: str) -> str:
    if text != UNPINNED_HOST:
        raise ValueError(f'nothing of the host is pinned, and the recipe has to say so: write host = "{UNPINNED_HOST}"')
    return text


def _folder(text: str) -> str:
    if not text.startswith("/") or ":" in text or "\0" in text or "/../" in f"{text}/":
        raise ValueError(f"not the absolute path of a folder, without a colon and without ..: {shown(text)}")
    return text
