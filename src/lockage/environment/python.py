"""The Python of an environment: which wheels fit it, what its markers are, and which suite carries which version.

Pure: the interpreter is known from the locked packages or from the table of suites, never by running it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.errors import Usage
from lockage.environment.base import OsBase
from lockage.environment.declaration import Architecture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag

    from lockage.environment.base import Interpreter
    from lockage.environment.lock import LockedEnvironment, LockedPackage

__all__ = [
    "SUITES",
    "NoFittingSuite",
    "NoPython",
    "PythonTarget",
    "Suite",
    "best_wheel",
    "choose_suite",
    "locked_target",
    "suite_of",
    "target_of",
    "target_on",
]

#: Debian's architecture names as wheel tags and ``platform_machine`` have them.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
#: The older names of manylinux levels (PEP 600, "Legacy manylinux tags"). Only manylinux2014 exists for other than x86.
_ALIASES = {17: ("manylinux2014", ("x86_64", "aarch64")), 12: ("manylinux2010", ("x86_64",)), 5: ("manylinux1", ("x86_64",))}
#: The oldest glibc that a manylinux tag can name, by machine (PEP 513; PEP 599 for others than x86).
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}


class NoFittingSuite(Usage):
    """No known suite carries a Python that the project accepts."""

    code = "no-fitting-suite"
    hint = "Correct requires-python, or write a recipe (`lockage init`) whose `os` carries the Python wanted."


class NoPython(Usage):
    """An environment asks for Python packages, but its operating system packages hold no Python that wheels can be chosen for."""

    code = "no-python"
    hint = "Add python3 and libc6 to the `packages` of the environment."


class PythonTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter that wheels are chosen for: CPython on Linux with glibc.

    ``version`` is MAJOR.MINOR; ``full_version`` also the patch level, if known; ``glibc`` is MAJOR.MINOR.
    """

    version: str
    glibc: str
    architecture: Architecture
    full_version: str | None = None
    implementation: Literal["cpython"] = "cpython"

    @property
    def machine(self) -> str:
        """The architecture as wheel tags and markers name it."""
        return _MACHINES[self.architecture]

    @property
    def full(self) -> str:
        """The version with a patch level; ``.0`` if it is not known."""
        return self.full_version or f"{self.version}.0"

    @property
    def pair(self) -> tuple[int, int]:
        """MAJOR and MINOR as numbers."""
        return _pair(self.version)

    def platforms(self) -> Iterator[str]:
        """Platform tags, best first (PEP 600). Bare ``linux_*`` is left out: it promises nothing about the system it runs on."""
        machine = self.machine
        for minor in range(_pair(self.glibc)[1], _OLDEST_GLIBC[machine] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            name, machines = _ALIASES.get(minor, ("", ()))
            if machine in machines:
                yield f"{name}_{machine}"

    def tags(self) -> tuple[Tag, ...]:
        """Compatible wheel tags, best first (PEP 425)."""
        from packaging import tags  # costs more to import than a build with nothing to do can spend

        platforms = list(self.platforms())
        interpreter = f"cp{self.pair[0]}{self.pair[1]}"
        return (
            *tags.cpython_tags(self.pair, abis=[interpreter], platforms=platforms),
            *tags.compatible_tags(self.pair, interpreter=interpreter, platforms=platforms),
        )

    def markers(self) -> dict[str, str]:
        """The marker environment (dependency specifiers, "Environment Markers"); what only a running kernel knows is empty."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.full,
            "python_version": self.version,
            "sys_platform": "linux",
        }


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite carries: its default Python and its glibc. Only to choose a suite; targets come from the locked packages."""

    name: str
    python: str
    glibc: str

    @property
    def base(self) -> OsBase:
        return OsBase(distribution="debian", suite=self.name)

    def target(self, architecture: Architecture) -> PythonTarget:
        return PythonTarget(version=self.python, glibc=self.glibc, architecture=architecture)


#: In order of preference: the longest tried first. As of November 2026; the last two still move.
SUITES: tuple[Suite, ...] = (
    Suite(name="bookworm", python="3.11", glibc="2.36"),
    Suite(name="trixie", python="3.13", glibc="2.41"),
    Suite(name="forky", python="3.14", glibc="2.43"),
    Suite(name="sid", python="3.14", glibc="2.43"),
)


def _pair(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def choose_suite(requires_python: str | None) -> OsBase:
    """The first suite whose Python satisfies ``requires_python``; raises :class:`NoFittingSuite`.

    Only MAJOR.MINOR of a suite is stable; a bound on the patch level counts as met by some patch release.
    """
    if not requires_python or not requires_python.strip():
        return SUITES[0].base
    wanted = _specifiers(requires_python)
    for suite in SUITES:
        if _satisfies(suite, wanted):
            return suite.base
    known = _known()
    raise NoFittingSuite(
        f"no suite has a Python that satisfies requires-python {requires_python!r}; there are {known}",
        expected=requires_python,
        found=known,
    )


def suite_of(version: str, requires_python: str | None) -> Suite:
    """The first suite whose Python is ``version`` (MAJOR.MINOR); raises :class:`NoFittingSuite` if none is, or the project excludes it."""
    suite = next((suite for suite in SUITES if suite.python == version), None)
    if suite is None:
        known = _known()
        raise NoFittingSuite(
            f"no suite has Python {version[:40]!r}; there are {known}",
            hint="Name one of these as in `--python 3.11`, or write a lockage.toml with an environment of your own.",
            expected=version[:40],
            found=known,
        )
    if requires_python and requires_python.strip() and not _satisfies(suite, _specifiers(requires_python)):
        raise NoFittingSuite(
            f"Python {version} does not satisfy the project's requires-python {requires_python!r}",
            hint="Leave this version out.",
            expected=requires_python,
            found=version,
        )
    return suite


def _known() -> str:
    return ", ".join(f"{suite.python} ({suite.name})" for suite in SUITES)


def _specifiers(requires_python: str) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # see PythonTarget.tags

    # ``>=3.6.*`` was accepted by older tools and is still published; it means ``>=3.6``.
    text = re.sub(r"([<>]=?\s*[0-9]+(?:\.[0-9]+)*)\.\*", r"\1", requires_python)
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise NoFittingSuite(
            f"requires-python is not a version specifier: {requires_python[:200]!r}",
            hint="Write it as in '>=3.11'.",
            found=requires_python[:200],
        ) from error


def _satisfies(suite: Suite, wanted: SpecifierSet) -> bool:
    return any(wanted.contains(f"{suite.python}.{patch}", prereleases=True) for patch in (99, *range(20)))


_UPSTREAM = re.compile(r"(?:[0-9]+:)?([0-9]+\.[0-9]+)((?:\.[0-9]+)?)")


def target_of(packages: Iterable[LockedPackage]) -> PythonTarget:
    """The target that locked OS packages make: python3's and libc6's upstream versions. Raises :class:`NoPython`."""
    found = {package.name: package for package in packages if package.name in ("python3", "libc6")}
    parsed = {name: _UPSTREAM.match(package.version) for name, package in found.items()}
    python, glibc = parsed.get("python3"), parsed.get("libc6")
    if python is None or glibc is None:
        missing = "python3" if python is None else "libc6"
        raise NoPython(f"Python packages are asked for, but {missing} is not among the operating system packages", missing=missing)
    architecture = found["libc6"].architecture
    if architecture not in ("amd64", "arm64"):
        raise NoPython(
            f"wheels cannot be chosen for the architecture {architecture!r}; known are amd64 and arm64",
            hint="Lock the environment for amd64 or arm64.",
            found=architecture,
        )
    return PythonTarget(
        version=python[1],
        full_version=python[1] + python[2] if python[2] else None,
        glibc=glibc[1],
        architecture="amd64" if architecture == "amd64" else "arm64",
    )


def target_on(interpreter: Interpreter, architecture: Architecture) -> PythonTarget:
    """The target that the Python of an image makes."""
    minor = ".".join(interpreter.version.split(".")[:2])
    full = interpreter.version if interpreter.version != minor else None
    return PythonTarget(version=minor, full_version=full, glibc=interpreter.glibc, architecture=architecture)


def locked_target(environment: LockedEnvironment) -> PythonTarget:
    """The target of a locked environment, whatever it begins with. Raises :class:`NoPython`."""
    image = environment.pulled
    if image is None:
        return target_of(environment.packages)
    if image.python is None:
        raise NoPython("the image of the environment has no Python that lockage knows", hint="Name it with `interpreter`.")
    return target_on(image.python, environment.architecture)


def best_wheel(files: Sequence[str], target: PythonTarget) -> str | None:
    """The file name that fits best: by its best tag, then the higher build number, then the name. None if none fits.

    Names that are no wheel names (binary distribution format, "File name convention") are passed over.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # see PythonTarget.tags

    rank = {tag: place for place, tag in enumerate(target.tags())}
    found: list[tuple[int, tuple[int, str], str]] = []
    for name in files:
        try:
            _, _, build, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        place = min((rank[tag] for tag in tags if tag in rank), default=None)
        if place is not None:
            found.append((-place, (build[0], build[1]) if build else (-1, ""), name))
    return max(found)[2] if found else None
