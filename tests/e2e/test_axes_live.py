"""Every axis is live: a step with one planted bug comes out otherwise when that axis is varied, and the same when all others are.

The steps run in the real sandbox and in a realised root, each as one action: in the contract's world, in the one in which only its axis
is varied, at each of its levels, and in the one in which every other usual axis is.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree
from lockage.environment.lock import Lock
from lockage.plan.action import Action
from lockage.plan.contract import FIXED, PREVENTION, relocated
from lockage.ports import ExecutionFailed, ExecutionRequest
from lockage.recipe.model import Resources
from lockage.variation import AXES, CONTRACT, World, axis_of, select, vary
from lockage.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Store

    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: What each step does; it says one thing that only its axis changes. Lines of shell, run by /bin/sh, which write the file `out`.
SHELL = {
    "root-order": "ls -U /usr/bin /usr/lib > out",
    "kernel": "uname -r | cut -c1-3 > out",
    "address-layout": 'a=$(grep stack /proc/self/maps); b=$(grep stack /proc/self/maps); test "$a" = "$b"; echo $? > out',
    "free-space": "stat -f -c %b . > out",
    "build-path": "pwd > out",
    "user": "id -u > out; id -un >> out; id -g >> out",
    "group": "id -gn > out",
    "account": 'getent passwd "$(id -un)" | cut -d: -f5,7 > out',
    "home": "echo ~ > out",
    "settings": "ls -A ~ | LC_ALL=C sort > out",
    "hostname": "uname -n > out",
    "domain-name": "cat /proc/sys/kernel/domainname > out",
    "machine-id": "cat /etc/machine-id > out",
    "boot-id": "cat /proc/sys/kernel/random/boot_id > out",
    "timezone": "date -d @86400 +%d-%H:%M > out",
    "umask": "mkdir made; echo > made/x; stat -c %a made/x > out",
    "file-order": "cd parts; ls -U > ../out",
    "source-times": "stat -c %Y parts/alpha > out",
    "source-modes": "stat -c %a parts parts/alpha tool > out",
    "workspace-disk": "mkdir made; stat -c %s made > out",
    "repository": "test -d .git; echo $? > out",
    "temporary-path": 'dirname "$(mktemp -u)" > out',
    "temporary-files": 'ls -A "$TMPDIR" | LC_ALL=C sort > out',
    "process-ids": "test $$ -gt 1000; echo $? > out",
    "cpu-model": "grep -m1 model /proc/cpuinfo > out",
    "cpu-features": 'echo "${GLIBC_TUNABLES-none}" > out',
    "memory-size": "grep MemTotal /proc/meminfo > out",
    "parallelism": 'echo "${MAX_JOBS:-1}" > out',
    "perl-hash-seed": "perl -e 'my %h = map { $_ => 1 } 1 .. 20; print keys %h' > out",
    "environment": 'echo "${BUILD_ID-none}" > out',
    "ci": 'echo "${CI-none}" > out',
    "desktop": 'echo "${DISPLAY-none}" > out',
    "proxy": 'echo "${https_proxy-none}" > out',
    "search-path": 'echo "$PATH" > out',
    "terminal": "test -t 1; echo $? > out",
    "input": "test -p /dev/stdin; echo $? > out",
    "limits": "ulimit -n > out; ulimit -s >> out",
    "signals": "grep SigIgn /proc/self/status > out",
    "shell": "echo 'one\\ntwo' > out",
    "architecture": "uname -m > out",
    "second-run": "echo line >> out",
}  # fmt: skip
#: Or Python, whose output goes there.
PYTHON = {
    "cpu-affinity": "import os; print(min(os.sched_getaffinity(0)))",
    "priority": "import os; print(os.nice(0))",
    "uptime": "import time; print(time.monotonic() > 92 * 86400, time.clock_gettime(time.CLOCK_BOOTTIME) > 92 * 86400)",
    "load": """
import time
share = 0
for _ in range(12):
    wall, own = time.monotonic(), time.process_time()
    while time.process_time() - own < 0.05:
        pass
    share = max(share, 0.05 / (time.monotonic() - wall))
print('crowded' if share < 0.35 else 'alone')
""",
    "locale": "import locale; print(locale.setlocale(locale.LC_ALL, ''))",
    "cpu-count": "import os; print(os.cpu_count())",
    "clock": "import datetime; print((datetime.date.today() - datetime.date.fromtimestamp(int(open('now').read()))).days > 20)",
    "hash-seed": "print(set(map(str, range(20))))",
    "screen": "import os; print('as wide as the terminal'[: int(os.environ.get('COLUMNS', 80)) // 5])",
    "variable-order": "import os; names = list(os.environ); print(names.index('HOME') < names.index('TZ'))",
    "loopback": """
import socket
try:
    server = socket.create_server(('127.0.0.1', 0))
    socket.create_connection(server.getsockname(), 1)
    print('up')
except OSError:
    print('down')
""",
}


class Bench:
    """One realised environment, and a folder of a few files for every step."""

    def __init__(self, wiring: Wiring, environment: LockedEnvironment, stack: ExitStack) -> None:
        self.wiring = wiring
        self.environment = environment
        self.root = wiring.roots.realise(environment)
        self._instruments = wiring.roots.instruments(environment)
        self._elsewhere: RealisedRoot | None = None
        self._stack = stack
        put = wiring.blobs.put
        nodes = [FileNode(RelPath(f"parts/{name}"), put(name.encode())) for name in ("alpha", "beta", "gamma", "delta", "epsilon")]
        nodes += [FileNode(RelPath("tool"), put(b"#!/bin/sh\n"), executable=True)]
        nodes += [FileNode(RelPath("now"), put(str(int(wiring.clock.now())).encode()))]
        self._tree, directories = Tree.of(nodes).encode()
        wiring.blobs.put_many(directories.values())

    def out(self, axis: str, world: World) -> BlobRef:
        """What the step of an axis makes in a world."""
        root = self.root
        if world.root_order != CONTRACT.root_order:
            if self._elsewhere is None:
                self._elsewhere = self._stack.enter_context(self.wiring.varied_roots(world))(self.environment)
            root = self._elsewhere
        given = {**FIXED, **{name: value for name, (value, _) in PREVENTION.items()}, "SOURCE_DATE_EPOCH": "1600000000"}
        action = Action(
            arguments=_command(axis),
            variables=relocated(tuple(sorted(given.items())), build_path=world.build_path, temporary=world.temporary),
            outputs=(RelPath("out"),),
            workspace=self._tree,
            root=self.environment.root,
            cpus=1,
            architecture=self.wiring.architecture,
        )
        request = ExecutionRequest(action=action, root=root, resources=Resources(timeout=60), world=world, instruments=self._instruments)
        outcome = self.wiring.executor.execute(request)
        log = self.wiring.blobs.get(outcome.log).decode()
        assert not isinstance(outcome, ExecutionFailed), (outcome, log)
        assert outcome.exit_code == 0, log
        return outcome.outputs


def _command(axis: str) -> tuple[str, ...]:
    if axis in SHELL:
        return ("/bin/sh", "-uc", SHELL[axis])
    return ("/usr/bin/python3", "-c", f"import sys; sys.stdout = open('out', 'w')\n{PYTHON[axis]}")


@pytest.fixture(scope="module")
def bench(warm: Store, module_path: Path) -> Iterator[Bench]:
    store = warm.copy(module_path / "axes")
    wiring = Wiring({**os.environ, "LOCKAGE_HOME": str(store.home), "LOCKAGE_KEYS": str(store.keys)})
    environment = Lock.decode((store.work / "lockage.lock").read_bytes()).environments["build"]
    with ExitStack() as stack:
        yield Bench(wiring, environment, stack)


@pytest.fixture(scope="module")
def unavailable(bench: Bench) -> dict[str, str]:
    return bench.wiring.unavailable_axes([bench.environment])


def test_every_axis_has_a_planted_bug() -> None:
    assert sorted((*SHELL, *PYTHON)) == sorted(axis.name for axis in AXES)
    assert len(AXES) >= 30


@pytest.mark.parametrize("choice", [choice for axis in AXES for choice in axis.choices(severe=True)])
def test_an_axis_is_live(choice: str, bench: Bench, unavailable: dict[str, str]) -> None:
    if choice in unavailable:
        pytest.skip(unavailable[choice])
    axis = axis_of(choice)
    straight = bench.out(axis, CONTRACT)
    if axis == "load" and Tree.of([FileNode(RelPath("out"), BlobRef.of(b"crowded\n"))]).encode()[0] in (
        straight,
        bench.out(axis, CONTRACT),
    ):
        pytest.skip("this machine is too busy for a step to be alone")
    assert bench.out(axis, vary([choice])) != straight


@pytest.mark.parametrize("axis", [axis.name for axis in AXES if axis.name != "load"])  # how busy it is besides is not ours to say
def test_no_other_axis_does_it(axis: str, bench: Bench, unavailable: dict[str, str]) -> None:
    others = [choices[0] for choices in select() if axis_of(choices[0]) not in (axis, "root-order") and choices[0] not in unavailable]
    assert len(others) >= 25
    assert bench.out(axis, vary(others)) == bench.out(axis, CONTRACT)
