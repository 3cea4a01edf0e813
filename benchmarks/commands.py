"""Whole commands: a build with nothing to do against the interpreter's own start; locking against the download alone.

    python benchmarks/commands.py [--only nothing|lock] [--rounds 20] [--check]

See benchmarks/README.md for what each line means.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import FLOOR, PROGRAM, REPOSITORY, Bench, Line, bench, in_turns, lines, report
from throttle import throttled

from lockage.adapters.debian_mirror.discovery import discover_mirrors

if TYPE_CHECKING:
    from collections.abc import Callable

#: Targets: multiples of `python -c pass`, multiples of the download, seconds.
NOTHING_TO_DO = 10.0
REALISE_AGAIN = 1.0
BOUND_BY_THE_DOWNLOAD = 1.3
#: Megabits a second.
ORDINARY_LINE = 100

_FETCH = """
import sys
from pathlib import Path
from lockage.environment.lock import Lock
from lockage.wiring import Wiring
wiring = Wiring.from_process()
for environment in Lock.decode(Path("lockage.lock").read_bytes()).environments.values():
    wiring.os_packages.index(environment.os, environment.architecture)
    wiring.os_packages.fetch(environment.os, [*environment.packages, *environment.instruments])
    if environment.python:
        wiring.python_index.fetch(environment.python)
"""
_REALISE = """
from pathlib import Path
from lockage.environment.lock import Lock
from lockage.wiring import Wiring
wiring = Wiring.from_process()
for environment in Lock.decode(Path("lockage.lock").read_bytes()).environments.values():
    wiring.roots.realise(environment)
"""


def nothing_to_do(made: Bench, rounds: int) -> list[Line]:
    """Commands that find everything done, in multiples of `python -c pass` of the same virtual environment."""
    made.lockage("build")
    (sdist,) = (made.project / "dist").glob("shop-*.tar.gz")
    apart = made.folder / "apart"  # an sdist in no repository
    apart.mkdir()
    shutil.copy(sdist, apart)

    def lockage(*arguments: str) -> Callable[[], float]:
        return lambda: made.seconds(*PROGRAM, *arguments)

    zero = ("build", str(apart / sdist.name), "--out", str(apart / "D"))
    made.lockage(*zero)
    found = in_turns(
        rounds,
        {
            "python -c pass": lambda: made.seconds(*FLOOR),
            "lockage build, nothing to do": lockage("build"),
            "  the same by way of ./bin/lockage": lambda: made.seconds(str(REPOSITORY / "bin" / "lockage"), "build"),
            "lockage build SDIST, no recipe, nothing to do": lockage(*zero),
            "lockage status": lockage("status"),
        },
    )
    targets = dict.fromkeys([name for name in found if "build" in name or "bin" in name], NOTHING_TO_DO)
    return lines(found, "python -c pass", targets)


def locking(made: Bench, rounds: int) -> list[Line]:
    """Locking and realising the default environment, in multiples of what only downloading the same packages takes."""
    first, download = _first_lock(made, "the mirror as it is")
    mirror = discover_mirrors(Path("/etc/apt"), os.environ.get("LOCKAGE_DEBIAN_MIRROR"))[0].uri
    with throttled(mirror, ORDINARY_LINE) as slow:
        first_slow, download_slow = _first_lock(made, "an ordinary line", LOCKAGE_DEBIAN_MIRROR=slow)
    again = in_turns(
        rounds,
        {
            "python -c pass": lambda: made.seconds(*FLOOR),
            "lock again, everything kept": lambda: made.seconds(*PROGRAM, "lock", "--upgrade"),
            "realise again": lambda: made.seconds(sys.executable, "-P", "-c", _REALISE),
        },
    )
    _, relock, realise = (line.seconds for line in lines(again, "python -c pass", {}))
    return [
        Line("index and packages downloaded, nothing else", download),
        Line("lockage lock, empty store", first, download),
        Line(f"the download alone at {ORDINARY_LINE} Mbit/s", download_slow),
        Line(f"lockage lock, empty store, at {ORDINARY_LINE} Mbit/s", first_slow, download_slow, BOUND_BY_THE_DOWNLOAD),
        Line("lockage lock --upgrade, everything kept", relock),
        Line("the root realised again, a process of its own", realise, None, REALISE_AGAIN),
    ]


def _first_lock(made: Bench, name: str, **environ: str) -> tuple[float, float]:
    """A lock in a store that has nothing, and what it downloads, downloaded alone."""
    made = made._replace(environ=made.environ | environ)
    lock = made.seconds(*PROGRAM, "lock", "--upgrade", LOCKAGE_HOME=str(made.folder / name / "first"))
    download = made.seconds(sys.executable, "-P", "-c", _FETCH, LOCKAGE_HOME=str(made.folder / name / "second"))
    return lock, download


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("nothing", "lock"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    chosen = parser.parse_args()
    results: list[Line] = []
    with bench() as made:
        made.lock()
        if chosen.only != "lock":
            results += nothing_to_do(made, chosen.rounds)
        if chosen.only != "nothing":
            results += locking(made, max(3, chosen.rounds // 4))
    return report(results, check=chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
