"""Lock: every environment of a recipe resolved, fetched, put together once, and pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.environment.debian import pin
from lockage.environment.debian import resolve as resolve_packages
from lockage.environment.declaration import PythonLock
from lockage.environment.lock import Lock, LockedEnvironment, LockedWheel, RootRef
from lockage.recipe.modes import PRELOADED
from lockage.record.event import Phase
from lockage.work.roots import bytes_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.environment.declaration import Declaration
    from lockage.environment.lock import LockedPackage
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["lock_environment", "lock_recipe"]

#: What verification and modes need beside a root: another clock, and the sources of other locales.
INSTRUMENTS = (PRELOADED, "locales")

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
    with_python = bool(declaration.python) or isinstance(declaration.python_lock, PythonLock)
    terms = declaration.packages if not with_python else ("python3", *declaration.packages)
    packages = resolve_packages(stanzas, terms, architecture)
    instruments = tuple(sorted(found for name in INSTRUMENTS if (found := pin(stanzas, name, architecture)) is not None))
    everything = (*packages, *instruments)
    services.tell(Phase(text=f"environment {name}: fetching {len(packages)} OS packages", total=bytes_missing(services, everything)))
    with services.os_packages.arriving(declaration.os, everything) as arriving:
        wheels: tuple[LockedWheel, ...] = ()
        if with_python:
            try:
                wheels = _wheels(services, name, declaration, packages)
            except LockageError:
                for _ in arriving:  # once the requirements are mended, nothing has to be fetched again
                    pass
                raise
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
        services.tell(Phase(text=f"environment {name}: putting the root together", total=bytes_missing(services, everything)))
        root = services.roots.realise(draft, expect=False, arriving=arriving)
    return msgspec.structs.replace(draft, root=root.ref)


def _wheels(services: Services, name: str, declaration: Declaration, packages: Sequence[LockedPackage]) -> tuple[LockedWheel, ...]:
    """What another tool's lock file pins, and what the requirements need beside it."""
    from lockage.environment.python import target_of  # only environments with Python packages need it

    target = target_of(packages)
    pinned: tuple[LockedWheel, ...] = ()
    if isinstance(declaration.python_lock, PythonLock):
        from lockage.work.python_lock import take_over

        services.tell(Phase(text=f"environment {name}: taking over {declaration.python_lock.file}"))
        pinned = take_over(services, declaration.python_lock, target)
    if not declaration.python:
        return pinned
    services.tell(Phase(text=f"environment {name}: resolving Python requirements, {len(declaration.python)} of them declared"))
    wheels = services.python_index.resolve(declaration.python, target, pinned=pinned)
    services.python_index.fetch(wheels)
    return tuple(sorted([*pinned, *wheels]))
