"""Environments: resolved against their index parsed once, realised against ``tar -x``, a second one that shares nine tenths, bytes hashed.

    python benchmarks/environments_speed.py [--only resolve|realise|share|hash] [--rounds 5] [--check]

Times are given by the clock and, as a machine with other work is slow in turns, in CPU time of the process and its children; ratios
that count are of CPU time. See benchmarks/README.md for the floors.
"""

from __future__ import annotations

import argparse
import lzma
import os
import resource
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from measuring import Bench, Line, bench, in_turns, report

from lockage.adapters.debian_mirror.discovery import discover_mirrors
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.roots_local.kept_packages import KeptPackages
from lockage.base import digest as digests
from lockage.environment.base import OsBase
from lockage.environment.debian import IndexedSuite, index_of, parse_packages, resolve
from lockage.environment.lock import Lock
from lockage.recipe.parse import parse_recipe
from lockage.wiring import Wiring

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Mapping, Sequence

    from lockage.environment.declaration import Declaration
    from lockage.environment.lock import LockedEnvironment, LockedPackage

#: Multiples of the floors, in CPU time.
RESOLVE, REALISE, SHARE = 2.0, 1.0, 2.0

_REALISE = """
import sys
from pathlib import Path
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.environment.lock import Lock
(environment,) = Lock.decode(Path(sys.argv[1]).read_bytes()).environments.values()
LocalRoots(LocalBlobs(Path(sys.argv[2])), Path(sys.argv[3])).realise(environment)
"""


class Cost(NamedTuple):
    """What something took, in seconds: by the clock, and CPU time of this process and of its children that ended."""

    clock: float
    cpu: float


def cost(what: Callable[[], object]) -> Cost:
    def cpu() -> float:
        return sum(
            used.ru_utime + used.ru_stime
            for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )

    os.sync()  # what others have written is not to be waited for by whoever synchronises next
    started, before = time.perf_counter(), cpu()
    what()
    return Cost(time.perf_counter() - started, cpu() - before)


def told(found: Mapping[str, Sequence[Cost]], floor: str, targets: Mapping[str, float]) -> list[Line]:
    """The medians, each by the clock and in CPU time; only the latter has a target."""

    def median(costs: Sequence[Cost], which: int) -> float:
        return sorted(one[which] for one in costs)[len(costs) // 2]

    lines = []
    for name, costs in found.items():
        for which, kind in enumerate(("clock", "CPU")):
            base = None if name == floor else median(found[floor], which)
            target = targets.get(name) if kind == "CPU" and name != floor else None
            lines.append(Line(f"{name}, {kind}", median(costs, which), base, target))
    return lines


class Fixture(NamedTuple):
    """A bench whose project is locked, and what was locked."""

    made: Bench
    environment: LockedEnvironment
    base: OsBase
    declaration: Declaration
    mirror: Path  # a folder with the suite's signed Release and its index

    @property
    def packed(self) -> Path:
        return next(self.mirror.rglob("Packages.xz"))

    def wiring(self, home: str) -> Wiring:
        return Wiring({**self.made.environ, "LOCKAGE_HOME": str(self.made.folder / home), "LOCKAGE_DEBIAN_MIRROR": self.mirror.as_uri()})

    def roots(self, name: str, workers: int = os.cpu_count() or 1) -> tuple[LocalRoots, Path]:
        """Roots in a folder of their own, from the packages of the bench's store."""
        folder = self.made.folder / name
        return LocalRoots(self.wiring("store").blobs, folder, workers=workers), folder


def prepared(made: Bench) -> Fixture:
    made.lock()
    (environment,) = Lock.decode((made.project / "lockage.lock").read_bytes()).environments.values()
    declaration = next(iter(parse_recipe((made.project / "lockage.toml").read_bytes()).environments.values()))
    source = discover_mirrors(Path("/etc/apt"), os.environ.get("LOCKAGE_DEBIAN_MIRROR"))[0].uri
    base = environment.os
    assert isinstance(base, OsBase), "the example is locked on a suite"
    suite = f"dists/{base.suite}"
    for name in (f"{suite}/InRelease", f"{suite}/main/binary-{environment.architecture}/Packages.xz"):
        target = made.folder / "mirror" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(f"{source}/{name}") as stream:
            target.write_bytes(stream.read())
    return Fixture(made, environment, base, declaration, made.folder / "mirror")


def resolving(fixture: Fixture, rounds: int) -> list[Line]:
    """From the packed index to the packages of the default environment, against unpacking and parsing that index."""
    environment, made = fixture.environment, fixture.made

    def parse() -> None:
        parse_packages([lzma.decompress(fixture.packed.read_bytes())])

    def resolved(home: str) -> None:
        wiring = fixture.wiring(home)
        release, stanzas = wiring.os_packages.index(fixture.base, environment.architecture)
        index = index_of([IndexedSuite(name=fixture.base.suite, release=release, stanzas=stanzas)])
        found = resolve(index, ("python3", *fixture.declaration.packages), environment.architecture)
        assert {package.sha256 for package in found} == {package.sha256 for package in environment.packages}, "what the lock has"

    def anew() -> None:
        shutil.rmtree(made.folder / "anew", ignore_errors=True)
        resolved("anew")

    found = in_turns(
        rounds,
        {
            "the index unpacked and parsed": lambda: cost(parse),
            "resolved from an index not seen before": lambda: cost(anew),
            "resolved from an index seen before": lambda: cost(lambda: resolved("store")),
            "lockage lock --upgrade, all of it kept": lambda: cost(lambda: made.lockage("lock", "--upgrade")),
        },
    )
    return told(found, "the index unpacked and parsed", {"resolved from an index not seen before": RESOLVE})


def realising(fixture: Fixture, rounds: int) -> list[Line]:
    """The OS layer and the Python layer put together, from unpacked packages and from archives."""
    folder = fixture.made.folder
    roots, kept = fixture.roots("kept")
    layers = roots.realise(fixture.environment).layers
    for number, (_, layer) in enumerate(layers):
        subprocess.run(["tar", "-cf", folder / f"{number}.tar", "-C", layer, "."], check=True)
    print(f"{sum(len(files) for _, layer in layers for _, _, files in os.walk(layer))} files and links")
    into = folder / "untarred"

    def untar() -> Cost:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        return cost(
            lambda: [subprocess.run(["tar", "-xf", folder / f"{number}.tar", "-C", into], check=True) for number, _ in enumerate(layers)]
        )

    def again(realise: Callable[[], object]) -> Cost:
        for _, layer in layers:
            KeptPackages(kept).remove_layer(layer.parent)
        return cost(realise)

    command: list[str | Path] = [
        sys.executable,
        "-P",
        "-c",
        _REALISE,
        fixture.made.project / "lockage.lock",
        folder / "store" / "blobs",
        kept,
    ]
    found = in_turns(
        rounds,
        {
            "tar -x of the same files": untar,
            "realised from unpacked packages": lambda: again(
                lambda: LocalRoots(fixture.wiring("store").blobs, kept).realise(fixture.environment)
            ),
            "  the same, a process of its own": lambda: again(lambda: subprocess.run(command, check=True)),
        },
    )
    targets = dict.fromkeys(("realised from unpacked packages", "  the same, a process of its own"), REALISE)
    return told(found, "tar -x of the same files", targets) + first_time(fixture, max(2, rounds // 2))


def first_time(fixture: Fixture, rounds: int) -> list[Line]:
    """The root put together from archives, against dpkg-deb."""
    folder = fixture.made.folder
    blobs = folder / "store" / "blobs" / "sha256"
    archives = [blobs / package.sha256[:2] / package.sha256[2:] for package in fixture.environment.packages]

    def dpkg() -> Cost:
        shutil.rmtree(folder / "dpkg", ignore_errors=True)
        return cost(lambda: [subprocess.run(["dpkg-deb", "-x", archive, folder / "dpkg"], check=True) for archive in archives])

    def first() -> Cost:
        shutil.rmtree(folder / "first", ignore_errors=True)
        return cost(lambda: fixture.roots("first")[0].realise(fixture.environment))

    return told(
        in_turns(rounds, {"dpkg-deb -x of the packages": dpkg, "realised for the first time": first}), "dpkg-deb -x of the packages", {}
    )


def tenth(packages: Sequence[LockedPackage]) -> list[LockedPackage]:
    """A tenth of the packages, by count and nearly by bytes: every tenth in the order of their sizes, begun where that fits best."""
    ordered = sorted(packages, key=lambda package: (package.size, package.name))
    size = sum(package.size for package in packages)
    return min((ordered[first::10] for first in range(10)), key=lambda some: abs(10 * sum(package.size for package in some) - size))


def sharing(fixture: Fixture, rounds: int) -> list[Line]:
    """An environment of which another has nine tenths, against the tenth that it has not, alone."""
    whole = fixture.environment.packages
    other = tenth(whole)
    print(f"{len(other)} of {len(whole)} packages, {sum(p.size for p in other) / sum(p.size for p in whole):.1%} of the bytes, are new")

    def environment(packages: Sequence[LockedPackage]) -> LockedEnvironment:
        return msgspec.structs.replace(fixture.environment, packages=tuple(packages), python=(), instruments=())

    nine = environment([package for package in whole if package not in other])

    def timed(packages: Sequence[LockedPackage], before: LockedEnvironment | None = None) -> Cost:
        shutil.rmtree(fixture.made.folder / "shared", ignore_errors=True)
        roots, _ = fixture.roots("shared")
        if before is not None:
            roots.realise(before, expect=False)
        return cost(lambda: roots.realise(environment(packages), expect=False))

    found = in_turns(
        rounds,
        {
            "the tenth alone": lambda: timed(other),
            "all, when nine tenths were there": lambda: timed(whole, nine),
            "all, when nothing was there": lambda: timed(whole),
        },
    )
    return told(found, "the tenth alone", {"all, when nine tenths were there": SHARE})


class Counted:
    """In the place of hashlib: counts the bytes that are hashed."""

    def __init__(self, real: object) -> None:
        self.real = real
        self.size = 0

    def sha256(self, data: bytes = b"") -> _CountedHash:
        return _CountedHash(self, self.real.sha256(), data)  # type: ignore[attr-defined]  # the module

    def file_digest(self, stream: object, _: str) -> _CountedHash:
        return _CountedHash(self, self.real.sha256(), stream.read())  # type: ignore[attr-defined]  # the module, a file


class _CountedHash:
    def __init__(self, counted: Counted, state: hashlib._Hash, data: bytes) -> None:
        self._counted = counted
        self._state = state
        self.update(data)

    def update(self, data: bytes) -> None:
        self._counted.size += len(data)
        self._state.update(data)

    def hexdigest(self) -> str:
        return self._state.hexdigest()

    def digest(self) -> bytes:
        return self._state.digest()


def hashing(fixture: Fixture) -> list[str]:
    """How many bytes are hashed while a root is put together, in one process."""
    whole = fixture.environment
    archives = sum(package.size for package in whole.packages) + sum(wheel.ref.size for wheel in whole.python)
    counted = Counted(digests.hashlib)  # type: ignore[attr-defined]  # its own import
    said = []
    roots, folder = fixture.roots("hashed", workers=1)

    def realise(name: str) -> None:
        counted.size = 0
        layers = roots.realise(whole).layers
        seen = {
            (s := path.lstat()).st_ino: s.st_size
            for _, layer in layers
            for path in layer.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        said.append(f"{name}: {counted.size} bytes hashed; the archives have {archives}, the files {sum(seen.values())}")

    digests.hashlib = counted  # type: ignore[assignment,attr-defined]  # to count
    try:
        realise("realised for the first time")
        for kind in ("python", "os"):
            for home in (folder / kind).iterdir():
                KeptPackages(folder).remove_layer(home)
        realise("realised from unpacked packages")
        realise("used again")
    finally:
        digests.hashlib = counted.real  # type: ignore[assignment,attr-defined]  # as it was
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("resolve", "realise", "share", "hash"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    chosen = parser.parse_args()
    results: list[Line] = []
    with bench() as made:
        fixture = prepared(made)
        parts: dict[str, Callable[[Fixture, int], list[Line]]] = {"resolve": resolving, "realise": realising, "share": sharing}
        for name, measure in parts.items():
            if chosen.only in (None, name):
                results += measure(fixture, chosen.rounds)
        if chosen.only in (None, "hash"):
            print(*hashing(fixture), sep="\n")
    return report(results, check=chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
