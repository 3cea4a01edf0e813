"""Every cause of the catalogue has a seeded example: a planted bug that is built (benchmarks/seeded_bugs.toml), or one here, of bytes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from lockage.compare.causes import CAUSES, cause_of
from lockage.compare.spot import CONTENT, FAILED, MISSING, PRESENCE, Spot
from lockage.compare.trace import Trace, trace
from lockage.variation import CONTRACT, vary

BUGS = tomllib.loads((Path(__file__).parents[3] / "benchmarks" / "seeded_bugs.toml").read_text())


class Example(NamedTuple):
    """What two builds made of one file, and the axes that made the difference."""

    cause: str
    file: str
    axes: tuple[str, ...]
    one: bytes = b""
    two: bytes = b""
    aspect: str = CONTENT


EXAMPLES = (
    Example("cpu-dependent", "which.txt", ("cpu-affinity",), b"ran here", b"ran there"),
    Example("fails-now-and-then", "out.whl", (), aspect=FAILED),
    Example("member-now-and-then", "out/cache.tmp", (), aspect=PRESENCE),
    Example("parallel-order", "results.txt", ("cpu-count",), b"one\ntwo\nthree\n", b"three\none\ntwo\n"),
    Example("parallel-order", "results.txt", ("priority",), b"one\ntwo\nthree\n", b"two\none\nthree\n"),
    Example("mode-from-umask", "out/tool", ("umask",), aspect="mode"),
    Example("owner-of-members", "out/tool", ("user",), aspect="uname"),
    Example("memory-address", "repr.txt", ("address-layout",), b"<x at 0x7f00aa01>", b"<x at 0x7ffff7d2>"),
    Example("current-time", "log.txt", (), b"built 2026-11-27 05:00:01", b"built 2026-11-27 05:00:09"),
    Example("random-value", "id.txt", (), b"6fa459ea-ee8a-4ca4-894e-db77e160355e", b"16fd2706-8baf-433b-82eb-8c7fada847da"),
    Example("random-order", "list.txt", (), b"a\nb\nc\n", b"c\na\nb\n"),
    Example("process-number", "pid.txt", (), b"pid 4711;", b"pid 4712;"),
    Example("set-order", "set.txt", ("hash-seed",), b"a\nb\nc\n", b"c\na\nb\n"),
    Example("folder-order", "list.txt", ("file-order",), b"a\nb\nc\n", b"c\nb\na\n"),
    Example("folder-size-written", "sizes.txt", ("workspace-disk",), b"60 src\n", b"4096 src\n"),
    Example("repository-decides", "files.txt", ("repository",), b"a.py", b"a.py b.py"),
    Example("cpu-features-decide", "sum.txt", ("cpu-features",), b"0.30000000000000004", b"0.29999999999999998"),
    Example("machine-type-written", "machine.txt", ("architecture",), b"x86_64", b"i686"),
    Example("order-of-variables", "env.txt", ("variable-order",), b"A=1\nB=2\n", b"B=2\nA=1\n"),
    Example("network-decides", "net.txt", ("loopback",), b"lo is up", b"lo is down"),
    Example("second-run", "files.txt", ("second-run",), b"a.py", b"a.py build/a.py"),
    Example("platform-in-file-name", "a-linux_x86_64.whl", ("architecture",), aspect=MISSING),
    Example("other-file-name", "a-20261127.whl", ("clock",), aspect=MISSING),
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.cause}-{'-'.join(example.axes) or 'itself'}")
def test_an_example_is_called_by_its_cause(example: Example) -> None:
    seen = trace(example.one, example.two, CONTRACT, vary(example.axes)) if example.aspect == CONTENT else None
    assert cause_of(Spot(artifact=example.file, member="", aspect=example.aspect), example.axes, seen).name == example.cause


def test_a_build_id_is_told_by_its_section() -> None:
    seen = Trace(offset=1, length=2, place=".note.gnu.build-id")
    assert cause_of(Spot(artifact="x.so", member="", aspect=CONTENT), ("build-path",), seen).name == "build-id"


def test_no_cause_is_without_an_example() -> None:
    seeded = {bug["cause"] for bug in BUGS.values() if "cause" in bug} | {example.cause for example in EXAMPLES} | {"build-id"}
    assert {cause.name for cause in CAUSES} - seeded == set()
