"""Lock: every environment of a recipe resolved, fetched, put together once, and pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.environment.debian import pin
from lockage.environment.debian import resolve as resolve_packages
from lockage.environment.lock import Lock, LockedEnvironment, LockedWheel, RootRef
from lockage.record.event import Phase
from lockage.work.roots import bytes_missing

if TYPE_CHECKING:
    from lockage.environment.declaration import Declaration
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["lock_environment", "lock_recipe"]

#: What verification needs beside a root: another clock, and the sources of other locales.
INSTRUMENTS = ("libfaketime", "locales")

_UNKNOWN = RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b""))


def lock_recipe(services: Services, recipe: Recipe, previous: Lock | None, *, upgrade: bool = False) -> Lock:
    """The lock of a recipe; what ``previous`` pins for an unchanged declaration stays, unless ``upgrade``."""
    locked: dict[str, LockedEnvironment] = {}
    for name, declaration in recipe.environments.items():
        known = previous.environments.get(name) if previous is not None and not upgrade else None
        if known is not None and known.declaration == declaration.digest and known.architecture == services.architecture:
            locked[name] = known
        else:
            twin = next((other for other in locked.values() if other.declaration == declaration.digest), None)
            locked[name] = twin or lock_environment(services, name, declaration)
    return Lock(environments=locked)


def lock_environment(services: Services, name: str, declaration: Declaration) -> LockedEnvironment:
    """Resolve, fetch and put together one environment. Raises what the index, the mirror and the solver raise."""
    architecture = services.architecture
    services.tell(Phase(text=f"environment {name}: resolving {declaration.os}"))
    release, stanzas = services.os_packages.index(declaration.os, architecture)
    terms = declaration.packages if not declaration.python else ("python3", *declaration.packages)
    packages = resolve_packages(stanzas, terms, architecture)
    instruments = tuple(sorted(found for name in INSTRUMENTS if (found := pin(stanzas, name, architecture)) is not None))
    everything = (*packages, *instruments)
    services.tell(Phase(text=f"environment {name}: fetching {len(packages)} OS packages", total=bytes_missing(services, everything)))
    services.os_packages.fetch(declaration.os, everything)
    wheels: tuple[LockedWheel, ...] = ()
    if declaration.python:
        from lockage.environment.python import target_of  # only environments with Python requirements need it

        services.tell(Phase(text=f"environment {name}: resolving {len(declaration.python)} Python requirements"))
        wheels = services.python_index.resolve(declaration.python, target_of(packages))
        services.python_index.fetch(wheels)
    draft = LockedEnvironment(
        declaration=declaration.digest,
        os=declaration.os,
        architecture=architecture,
        release_date=str(release.date),
        release_sha256=release.sha256,
        root=_UNKNOWN,
        packages=packages,
        python=wheels,
        instruments=instruments,
    )
    services.tell(Phase(text=f"environment {name}: putting the root together"))
    return msgspec.structs.replace(draft, root=services.roots.realise(draft, expect=False).ref)
