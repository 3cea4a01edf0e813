"""Is the right one blamed? Planted bugs (seeded_bugs.toml), and what `lockage verify` says of each.

Every bug is one step; a few are verified in one recipe, but those that make a rebuild fail, which have one each. Prints what was said
otherwise than expected, and how many were right: the axes, and the cause by name. Ends with 1 below 90 %.

    python benchmarks/blame.py [--only NAME,…]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import PROGRAM, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Iterator

BUGS = Path(__file__).with_name("seeded_bugs.toml")
#: Seconds after the project was made: later than any control build, and earlier than the moved clock.
LATER = 100 * 86400
WANTED = 90.0
#: Every rebuild runs every step of a recipe, and every bug takes rebuilds of its own: the work grows with the square.
TOGETHER = 14


def recipe(head: str, bugs: dict[str, Any]) -> str:
    """One step a bug in the environment of ``head``, a recipe that has steps of its own."""
    steps = [
        f'[step.{name.replace(".", "-")}]\nenvironment = "build"\ninputs = ["causes.c", "causes.py", "parts/**", "later", "niceness"]\n'
        f"run = {json.dumps(f'mkdir made; out=made/{name}; ' + bug['run'])}\n"
        f'outputs = ["made/{name}"]\nartifacts = ["made/{name}"]\nstabilize = {str(name.endswith((".whl",))).lower()}\n'
        for name, bug in bugs.items()
    ]
    return head[: head.index("[step.")] + "\n".join(steps)


def files(project: Path) -> None:
    """What the steps see."""
    (project / "causes.c").write_text("int f(int x) { return x; }\n")
    (project / "causes.py").write_text("def f(x):\n    return x\n")
    (project / "parts").mkdir(exist_ok=True)
    for name in ("alpha", "beta", "gamma", "delta", "epsilon"):
        (project / "parts" / name).write_text(f"{name}\n")
    (project / "later").write_text(f"{int(time.time()) + LATER}\n")
    (project / "niceness").write_text(f"{os.nice(0)}\n")


def told(here: Bench, bugs: dict[str, Any], head: str) -> tuple[dict[str, list[dict[str, Any]]], Any]:
    """What is said of each bug, most telling first, and the whole document."""
    (here.project / "lockage.toml").write_text(recipe(head, bugs))
    files(here.project)
    here.git("add", "-A")
    here.git("commit", "-q", "--allow-empty", "-m", "bugs")
    command = [*PROGRAM, "verify", "--json", "--blame-rebuilds", "1000"]
    done = subprocess.run(command, cwd=here.project, env=here.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    document = json.loads(done.stdout)
    if done.returncode != 4:
        sys.exit(f"lockage verify exited with {done.returncode}: {document}")
    said: dict[str, list[dict[str, Any]]] = {name: [] for name in bugs}
    for one in document["blame"]:
        said[one["artifact"]].append(one)
    return said, document


def batched(names: list[str], size: int) -> Iterator[list[str]]:
    """So many at a time, in order."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of bugs, separated by commas")
    chosen = parser.parse_args().only
    bugs = tomllib.loads(BUGS.read_text())
    if chosen:
        bugs = {name: bugs[name] for name in chosen.split(",")}
    started = time.monotonic()
    right = {"axes": 0, "cause": 0, "of": 0}
    with bench() as here:
        here.lock()
        head = (here.project / "lockage.toml").read_text()
        together = {name: bug for name, bug in bugs.items() if not bug.get("alone")}
        said: dict[str, list[dict[str, Any]]] = {}
        rebuilds = 0
        for names in batched(sorted(together), TOGETHER):
            some, document = told(here, {name: together[name] for name in names}, head)
            said |= some
            rebuilds += document["blame_rebuilds"]
        for name in bugs.keys() - together.keys():
            said |= told(here, {name: bugs[name]}, head)[0]
    for name, bug in bugs.items():
        first = said[name][0] if said[name] else {"axes": None, "cause": "nothing"}
        axes = first["axes"] == bug["axes"]
        cause = "cause" not in bug or first["cause"] == bug["cause"]
        right["axes"] += axes
        right["cause"] += axes and cause
        right["of"] += 1
        if not (axes and cause):
            print(f"{name}: expected {bug['axes']} {bug.get('cause', '')}, said {[(one['axes'], one['cause']) for one in said[name]]}")
    share = 100 * right["cause"] / right["of"]
    print(f"{right['of']} bugs: axes right {right['axes']}, axes and cause right {right['cause']} ({share:.1f} %)")
    print(f"{rebuilds} rebuilds in {time.monotonic() - started:.0f} s")
    return int(share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
