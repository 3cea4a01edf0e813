"""Platforms in a lock: where an environment stands that is locked for several, and what one of them has.

Invariant: an environment that is declared for one platform stands under its name, as every lock was written before there were several;
one that is declared for several stands once for each, as ``NAME@PLATFORM``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.declaration import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment

__all__ = ["has_several", "locked_name", "misnamed", "of_platform", "platforms_of", "preferring", "split_name"]


def locked_name(name: str, declared: Sequence[Architecture], platform: Architecture) -> str:
    """Where an environment that is ``declared`` for these platforms stands for one of them."""
    return name if len(declared) == 1 else f"{name}@{platform}"


def split_name(locked: str) -> tuple[str, Architecture | None]:
    """The environment that stands there, and for which platform if it is declared for several."""
    name, _, suffix = locked.rpartition("@")
    platform = next((known for known in ARCHITECTURES if known == suffix), None)
    return (locked, None) if platform is None else (name, platform)


def has_several(names: Iterable[str]) -> bool:
    """Whether one of the environments that stand there is declared for several platforms."""
    return any(split_name(name)[1] is not None for name in names)


def of_platform(environments: Mapping[str, LockedEnvironment], platform: Architecture) -> dict[str, LockedEnvironment]:
    """What is locked for one platform, by the environments' own names."""
    return {split_name(name)[0]: found for name, found in environments.items() if found.architecture == platform}


def preferring(environments: Mapping[str, LockedEnvironment], platform: Architecture) -> dict[str, LockedEnvironment]:
    """Every environment once, by its own name: as it is locked for the platform, else for the first other."""
    others = {split_name(name)[0]: found for name, found in sorted(environments.items(), reverse=True)}
    return {**others, **of_platform(environments, platform)}


def platforms_of(environments: Mapping[str, LockedEnvironment], name: str) -> tuple[Architecture, ...]:
    """The platforms that an environment is locked for."""
    return tuple(sorted(found.architecture for locked, found in environments.items() if split_name(locked)[0] == name))


def misnamed(environments: Mapping[str, LockedEnvironment], *, several: bool) -> str | None:
    """What is wrong with the names under which environments stand in a lock that says that it is of ``several`` platforms, or not.

    None if nothing is.
    """
    if several != has_several(environments):
        return f"its format is that of a lock of {'several platforms' if several else 'one platform'}, and its environments are not"
    for locked, found in environments.items():
        name, platform = split_name(locked)
        if platform is not None and found.architecture != platform:
            return f"environment {locked!r} is one of {found.architecture}"
        if platform is not None and name in environments:
            return f"environment {name!r} stands there for one platform and for several"
    return None
