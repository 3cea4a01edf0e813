"""Environments looked at and laid in: what a lock names, and everything fetched that a build without a network will need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.errors import Usage
from lockage.base.tree import read_tree
from lockage.environment.lock import Lock
from lockage.environment.platforms import split_name
from lockage.record.event import Phase
from lockage.work.inputs import fetch_inputs
from lockage.work.prepare import LockMissing
from lockage.work.roots import fetch_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment
    from lockage.recipe.model import FetchInput
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["LaidIn", "LockedItem", "NoSuchEnvironment", "environment_of", "environments_of", "items_of", "lay_in", "read_lock"]


class NoSuchEnvironment(Usage):
    """An environment was named that the lock does not hold."""

    code = "no-such-environment"
    hint = "Name an environment of lockage.lock; `lockage env show` lists them."


class LockedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an environment is made of: a part of its image, an OS package, a wheel, an sdist, or an instrument for verification.

    ``builder``: whatever else is only needed to build sdists.
    """

    kind: Literal["image", "package", "wheel", "instrument", "sdist", "builder"]
    name: str
    version: str
    file: str
    ref: BlobRef
    kept: bool


class LaidIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds now of an environment, or of a recipe's fetch inputs: in number and bytes, and what of it was fetched."""

    name: str
    count: int
    size: int
    fetched: int
    fetched_size: int


def read_lock(services: Services, locator: str, given: bytes | None) -> Lock:
    """The given lock, else the source's own. Raises :class:`LockMissing`, InvalidLock."""
    data = given if given is not None else services.sources.read(locator).lock
    if data is None:
        raise LockMissing(f"{locator} has no lockage.lock", source=locator)
    return Lock.decode(data)


def environments_of(lock: Lock, names: Collection[str], platform: Architecture | None = None) -> dict[str, LockedEnvironment]:
    """The named environments of a lock, or all, for every platform or for one, by where they stand in it.

    Each may be named by its own name, or by that and its platform. Raises :class:`NoSuchEnvironment`.
    """
    everything = {name: found for name, found in lock.complete.environments.items() if platform in (None, found.architecture)}
    for name in names:
        if not any(name in (place, split_name(place)[0]) for place in everything):
            known = ", ".join(sorted(everything)) or "none"
            where = f" for {platform}" if platform is not None else ""
            raise NoSuchEnvironment(f"lockage.lock has no environment {name!r}{where}; it has {known}", environment=name)
    return {place: found for place, found in everything.items() if not names or {place, split_name(place)[0]}.intersection(names)}


def environment_of(lock: Lock, name: str, platform: Architecture | None = None) -> LockedEnvironment:
    """One environment of a lock that is seen on a platform: for that, else for the only one that it is locked for.

    Raises :class:`NoSuchEnvironment`.
    """
    found = environments_of(lock, [name], platform)
    chosen = next((one for one in found.values() if one.architecture == lock.platform), None)
    if chosen is None and len(found) > 1:
        raise NoSuchEnvironment(
            f"environment {name!r} is locked for {' and '.join(sorted(one.architecture for one in found.values()))}",
            hint="Say which is meant with --platform.",
            environment=name,
        )
    return chosen or next(iter(found.values()))


def items_of(services: Services, environment: LockedEnvironment) -> tuple[LockedItem, ...]:
    """Everything that an environment is made of, in the lock's order, and whether it is kept."""

    def items() -> Iterable[LockedItem]:
        for kind, packages in (("package", environment.packages), ("instrument", environment.instruments)):
            for package in packages:
                kept = services.blobs.has(package.ref)
                yield LockedItem(
                    kind="package" if kind == "package" else "instrument",
                    name=package.name,
                    version=package.version,
                    file=package.path.name,
                    ref=package.ref,
                    kept=kept,
                )
        image = environment.pulled
        for what, ref in image.parts if image is not None else ():
            kept = services.blobs.has(ref)
            yield LockedItem(kind="image", name=image.name if image is not None else "", version=what, file=ref.digest, ref=ref, kept=kept)
        for wheel in environment.python:
            kept = services.blobs.has(wheel.ref)
            yield LockedItem(kind="wheel", name=wheel.name, version=wheel.version, file=wheel.file, ref=wheel.ref, kept=kept)
        for sdist in environment.sdists:
            kept = services.blobs.has(sdist.ref)
            yield LockedItem(kind="sdist", name=sdist.name, version=sdist.version, file=sdist.file, ref=sdist.ref, kept=kept)

    own = tuple(items())
    found = {item.ref: item for item in own}
    for builder in environment.builders.values():
        for item in items_of(services, builder):
            found.setdefault(item.ref, msgspec.structs.replace(item, kind="builder"))
    return (*own, *(item for item in found.values() if item.kind == "builder"))


def lay_in(services: Services, project: Project, names: Collection[str] = (), platform: Architecture | None = None) -> tuple[LaidIn, ...]:
    """Fetch what the store lacks of these environments (none named: of all), for all platforms or one, and of their steps' fetch inputs.

    Raises :class:`NoSuchEnvironment`, and what fetching raises; what was fetched by then is kept.
    """
    found = []
    chosen = environments_of(project.lock, names, platform)
    for name, environment in chosen.items():
        items = items_of(services, environment)
        missing = [item for item in items if not item.kept]
        if missing:
            services.tell(Phase(text=f"environment {name}: fetching {len(missing)} of {len(items)} packages"))
            fetch_missing(services, environment)
        found.append(_laid_in(f"environment {name}", [item.ref for item in items], [item.ref for item in missing]))
    own_names = {split_name(place)[0] for place in chosen}
    wanted = {name for step in project.recipe.steps if step.environment in own_names for name in step.fetch}
    inputs = [item for item in project.recipe.fetches if item.name in wanted]
    inputs += _crates(services, project, own_names)
    if inputs:
        before = {item.sha256 for item in inputs if services.blobs.locate(item.sha256) is not None}
        kept = fetch_inputs(services, inputs)
        found.append(_laid_in("fetch inputs", list(kept.values()), [ref for digest, ref in kept.items() if digest not in before]))
    return tuple(found)


def _crates(services: Services, project: Project, chosen: Collection[str]) -> list[FetchInput]:
    """The archives of the crates that steps of these environments see."""
    paths = {step.crates for step in project.recipe.steps if step.environment in chosen and step.crates is not None}
    if not paths:
        return []
    from lockage.work.crates import archives_of, crates_of  # only builds of Rust need it

    source = read_tree(project.source.tree, services.blobs.get)
    return archives_of(services, tuple({crate for path in paths for crate in crates_of(services, source, path)}))


def _laid_in(name: str, kept: Collection[BlobRef], fetched: Collection[BlobRef]) -> LaidIn:
    return LaidIn(
        name=name, count=len(kept), size=sum(ref.size for ref in kept), fetched=len(fetched), fetched_size=sum(ref.size for ref in fetched)
    )
