"""Which OS package has what a build did not find: looked up in the index of the suite that the step's environment comes from.

Invariant: a suggestion is advice. If nobody can be asked, nothing is suggested, and the failure is told as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import LockageError
from lockage.record.event import Phase
from lockage.work.diagnose import Lack, Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lockage.environment.debian import PackagedFile
    from lockage.environment.lock import LockedEnvironment
    from lockage.work.services import Services

__all__ = ["Suggested", "endings", "rank", "suggest"]

_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


class Suggested(msgspec.Struct, frozen=True):
    """A package of the environment's suite that has what is missing, as ``path``."""

    missing: Missing
    package: str
    path: str

    def __str__(self) -> str:
        return f"{self.package} has /{self.path}"


def suggest(services: Services, environment: LockedEnvironment, lacks: Iterable[Missing]) -> tuple[Suggested, ...]:
    """A package for each lack that one can be told for. One that the environment has already is not what is missing."""
    installed = {package.name for package in environment.packages}
    found: list[Suggested] = []
    wanting = [lacking for lacking in lacks if endings(lacking)]
    if wanting:
        services.tell(Phase(text=f"looking up which packages of {environment.os} have what is missing"))
    try:
        for lacking in wanting:
            files = services.os_packages.files(environment.os, environment.architecture, endings(lacking))
            best = _best(services, environment, lacking, files, {one.package for one in found})
            if best is not None and best.package not in installed:
                found.append(best)
    except LockageError:
        return tuple(found)  # no mirror, no network, or one that has no such index
    return tuple(found)


def _best(
    services: Services, environment: LockedEnvironment, lacking: Missing, files: Iterable[PackagedFile], chosen: set[str]
) -> Suggested | None:
    ranked = rank(lacking, files, environment.architecture)
    if not ranked:
        return None
    equals = {file.package: file for file in ranked}
    again = sorted(chosen & set(equals))
    package = again[0] if again else next(iter(equals))
    if len(equals) > 1 and not again:
        _, stanzas = services.os_packages.index(environment.os, environment.architecture)
        users = {name: sum(f"{name} " in f"{stanza.depends} ".replace(",", " ") for stanza in stanzas) for name in equals}
        package = min(equals, key=lambda name: (-users[name], len(name), name))
    return Suggested(lacking, package, equals[package].path)


def endings(lacking: Missing) -> tuple[str, ...]:
    """How the path of a file ends that would help, the best first; empty if no file can be told."""
    name = lacking.name
    match lacking.lack:
        case Lack.HEADER:
            return (f"/{name}",)
        case Lack.PROGRAM:
            return (f"bin/{name}",) if "/" not in name else ()
        case Lack.LIBRARY:
            lower = name.lower()
            forms = (f"/{name}.pc", *_linked(name), f"/lib{name}.pc", f"/{name}Config.cmake", f"/{lower}-config.cmake")
            return tuple(dict.fromkeys((*forms, f"/{lower}.pc", *_linked(lower), f"/lib{lower}.pc")))
        case Lack.MODULE | Lack.NETWORK:
            return ()


def _linked(name: str) -> tuple[str, ...]:
    return tuple(f"/{stem}{kind}" for kind in (".so", ".a") for stem in ((name,) if name.startswith("lib") else (f"lib{name}",)))


def rank(lacking: Missing, files: Iterable[PackagedFile], architecture: str) -> tuple[PackagedFile, ...]:
    """Of the files that would help those that are equally the best: first for development, then by name, then at the usual place."""
    wanted = endings(lacking)
    usual = _usual(lacking.lack, _TRIPLETS.get(architecture, ""))
    keyed: list[tuple[tuple[bool, int, int], PackagedFile]] = []
    for file in files:
        ending = next((number for number, text in enumerate(wanted) if file.path.endswith(text)), None)
        if ending is None:
            continue
        folder = file.path.removesuffix(wanted[ending])
        distance = usual(folder)
        if distance is not None:
            keyed.append(((_for_running(lacking, file), ending, distance), file))
    if not keyed:
        return ()
    best = min(key for key, _ in keyed)
    return tuple(file for key, file in keyed if key == best)


def _for_running(lacking: Missing, file: PackagedFile) -> bool:
    """Whether the package is not for development, where one for development is wanted."""
    if lacking.lack is Lack.PROGRAM and not lacking.name.endswith("config"):
        return False
    return file.section != "libdevel" and not file.package.endswith("-dev")


def _usual(lack: Lack, triplet: str) -> Callable[[str], int | None]:
    """How far a folder is from where such files are looked for, in folders; None if one of that kind is never looked for there."""
    places: Mapping[Lack, tuple[str, ...]] = {
        Lack.HEADER: ("usr/include", f"usr/include/{triplet}"),
        Lack.PROGRAM: ("usr/", "", "usr/s", "s"),  # what stands before bin
        Lack.LIBRARY: ("usr/lib", f"usr/lib/{triplet}", f"usr/lib/{triplet}/pkgconfig", "usr/lib/pkgconfig", "usr/share/pkgconfig"),
    }

    def distance(folder: str) -> int | None:
        if folder in places.get(lack, ()):
            return 0
        if lack is Lack.PROGRAM:
            return None
        return folder.count("/")

    return distance
