"""An environment that is the host, which has to say that it is unpinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import HostBase
from lockage.recipe.reader import shown

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["UNPINNED_HOST", "host_of"]

#: The only value of `host`: whoever writes or reviews a recipe is to see what it gives up.
UNPINNED_HOST = "unpinned"
#: Keys that mean something only where packages are resolved.
_RESOLVED = ("packages", "suites", "components", "allow-stale", "keyring")
#: Those of Python packages. Nothing would keep a wheel that a host made from being taken for one that was made hermetically.
_PYTHON = ("python", "python-lock", "constraints", "from-source", "build-packages")
_INSTALL = "Install it on the machine, or declare a suite (`os`) in the place of `host`."
_STEP = (
    "Install it on the machine; or have a step build and unpack it from a file that `[fetch.NAME]` pins (docs/hosts.md); "
    "or declare a suite (`os`) in the place of `host`."
)


def host_of(table: Table) -> HostBase | None:
    """The host, with the folders of its own that are searched; None, and a fault, if it may not be that. Its other faults are reported."""
    table.text("host", _unpinned, f'"{UNPINNED_HOST}"')
    path = table.texts("path", _folder, "folders of the host")
    for other in ("os", "image"):
        if table.raw(other) is not None:
            table.fault(other, f"an environment begins with one thing, and this one says {shown('host')} as well")
    nothing = "an environment that is the host has what the host has: nothing is resolved for it"
    for name in (*_RESOLVED, *_PYTHON):
        if table.has(name) and name in _PYTHON:
            table.fault(name, f"{nothing}, and there is no root for Python packages to be built or installed into", _STEP)
        elif table.has(name):
            table.fault(name, nothing, _INSTALL)
    return HostBase(path=path or ())


def _unpinned(text: str) -> str:
    if text != UNPINNED_HOST:
        raise ValueError(f'nothing of the host is pinned, and the recipe has to say so: write host = "{UNPINNED_HOST}"')
    return text


def _folder(text: str) -> str:
    if not text.startswith("/") or ":" in text or "\0" in text or "/../" in f"{text}/":
        raise ValueError(f"not the absolute path of a folder, without a colon and without ..: {shown(text)}")
    return text
