"""Which OS package has what a build did not find: looked up in the index of the suite that the step's environment comes from.

Invariant: a suggestion is advice. If nobody can be asked, nothing is suggested, and the failure is told as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import LockageError
from lockage.environment.base import OsBase
from lockage.environment.python import SUITES
from lockage.ports import MirrorUnconfigured, UntrustedRelease
from lockage.record.event import Phase
from lockage.work.diagnose import Lack, Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lockage.environment.debian import PackagedFile, Stanza
    from lockage.environment.lock import LockedEnvironment
    from lockage.work.services import Services

__all__ = ["Suggested", "Suggestions", "endings", "rank", "suggest"]

#: Where CMake looks for a package's configuration (its manual, find_package, "Config Mode Search Procedure").
_CMAKE = re.compile(r"usr/(?:lib|lib/[^/]+|share)/(?:cmake/[^/]+|[^/]+/cmake|cmake)")
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


class Suggested(msgspec.Struct, frozen=True):
    """A package of the environment's suite that has what is missing, as ``path``."""

    missing: Missing
    package: str
    path: str

    def __str__(self) -> str:
        return f"{self.package} has /{self.path}"


class Suggestions(msgspec.Struct, frozen=True):
    """A package for each lack that one can be told for; ``failure`` says why the suite's own index could not be asked.

    ``present`` are those that the environment has already: the build looks elsewhere.
    """

    found: tuple[Suggested, ...] = ()
    present: tuple[Suggested, ...] = ()
    failure: str | None = None

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of the packages, each once."""
        return tuple(dict.fromkeys(one.package for one in self.found))

    def __str__(self) -> str:
        told = f"{'; '.join(dict.fromkeys(map(str, self.found)))}." if self.found else ""
        failed = f"The packages that have it could not be looked up as they should: {self.failure}." if self.failure else ""
        there = f"{'; '.join(dict.fromkeys(map(str, self.present)))}, and is there: tell the build where to look." if self.present else ""
        return " ".join(filter(None, (told, there, failed)))

    @property
    def told(self) -> frozenset[Missing]:
        """What there is something to say about."""
        return frozenset(one.missing for one in (*self.found, *self.present))


def suggest(services: Services, environment: LockedEnvironment, lacks: Iterable[Missing]) -> Suggestions:
    """Look up what is missing."""
    wanting = [lacking for lacking in lacks if endings(lacking)]
    if not wanting or not isinstance(environment.os, OsBase):  # only a suite has packages to be named
        return Suggestions()
    services.tell(Phase(text=f"looking up which packages of {environment.archive} have what is missing"))
    asked = _Asked(services, environment)
    installed = {package.name for package in environment.packages}
    found: list[Suggested] = []
    present: list[Suggested] = []
    try:
        for lacking in wanting:
            best = asked.best(lacking, {one.package for one in found})
            if best is not None:
                (present if best.package in installed else found).append(best)
    except LockageError as error:  # no mirror, no network, or one that has no such index
        asked.failure = asked.failure or error.message
    return Suggestions(tuple(found), tuple(present), asked.failure)


class _Asked:
    """The indices of one environment's suite; where the mirror has them wrong, those of another suite, for packages that both have."""

    def __init__(self, services: Services, environment: LockedEnvironment) -> None:
        self._services = services
        self._environment = environment
        own = environment.archive
        self._bases = [own, *(suite.base for suite in SUITES if suite.base != own)]
        self.failure: str | None = None

    def best(self, lacking: Missing, chosen: set[str]) -> Suggested | None:
        architecture = self._environment.architecture
        for part in (architecture, "all"):
            ranked = rank(lacking, self._files(part, endings(lacking)), architecture)
            if ranked:
                equals = {file.package: file for file in ranked}
                package = self._preferred(tuple(equals), chosen)
                return Suggested(lacking, package, equals[package].path)
        return None

    def _files(self, part: str, wanted: tuple[str, ...]) -> Iterable[PackagedFile]:
        while True:
            base = self._bases[0]
            try:
                files = self._services.os_packages.files(base, part, wanted)
            except (MirrorUnconfigured, UntrustedRelease) as error:
                self.failure = self.failure or error.message
                if len(self._bases) == 1:
                    raise
                del self._bases[0]
                continue
            if base == self._environment.archive:
                return files
            names = {stanza.name for stanza in self._stanzas()}
            return [file for file in files if file.package in names]

    def _preferred(self, equals: tuple[str, ...], chosen: set[str]) -> str:
        """One that is needed anyway; else the one that most packages of the suite depend on."""
        again = sorted(chosen.intersection(equals))
        if again or len(equals) == 1:
            return (*again, *equals)[0]
        stanzas = self._stanzas()
        users = {name: sum(f"{name} " in f"{stanza.depends} ".replace(",", " ") for stanza in stanzas) for name in equals}
        return min(equals, key=lambda name: (-users[name], len(name), name))

    def _stanzas(self) -> Sequence[Stanza]:
        return self._services.os_packages.index(self._environment.archive, self._environment.architecture)[1]


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
        if file.path.endswith(".cmake") and not _CMAKE.fullmatch(folder):
            continue  # a copy in another project's folder
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
