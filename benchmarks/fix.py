"""Is what a recipe can mend mended? Planted bugs (seeded_bugs.toml), and what `lockage verify --fix` makes of each.

Every bug is one step; a dozen are mended in one recipe, those that make a rebuild fail in one each. The recipes that were written are
committed and verified once more from nothing. Prints for each bug the mitigations, or what was tried in vain, and ends with 1 if a bug
that is not marked `fixable = false` still differs.

    python benchmarks/fix.py [--only NAME,…]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import tomllib
from typing import Any

from blame import BUGS, files, recipe
from measuring import PROGRAM, Bench, bench

ENOUGH = "5000"
DOZEN = 12


def document(here: Bench, *options: str) -> Any:  # Any: the document of a command
    """What `lockage verify` prints, which may end with 0 or 4."""
    command = [*PROGRAM, "verify", "--json", *options]
    done = subprocess.run(command, cwd=here.project, env=here.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    if done.returncode not in (0, 4):
        sys.exit(f"lockage verify exited with {done.returncode}: {found}")
    return found


def mended(here: Bench, bugs: dict[str, Any], head: str) -> tuple[dict[str, str], dict[str, list[str]], int]:
    """The grade of each bug with the recipe that was written, the mitigations in it (`-` before those tried in vain), and rebuilds."""
    (here.project / "lockage.toml").write_text(recipe(head, bugs))
    files(here.project)
    here.git("add", "-A")
    here.git("commit", "-q", "--allow-empty", "-m", "bugs")
    found = document(here, "--fix", "--blame-rebuilds", ENOUGH, "--fix-rebuilds", ENOUGH)
    told: dict[str, list[str]] = {}
    for one in found["fix"]["mended"]:
        told |= dict.fromkeys(one["artifacts"], one["mitigations"])
    for one in found["fix"]["unmended"]:
        told.setdefault(one["artifact"], []).extend(f"-{name}" for name in one["tried"])
    here.git("commit", "-q", "-a", "--allow-empty", "-m", "mended")
    grades = {artifact["filename"]: artifact["robust"] for artifact in document(here, "--no-blame")["artifacts"]}
    return grades, told, found["fix"]["rebuilds"] + found["blame_rebuilds"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of bugs, separated by commas")
    chosen = parser.parse_args().only
    bugs = tomllib.loads(BUGS.read_text())
    if chosen:
        bugs = {name: bugs[name] for name in chosen.split(",")}
    started = time.monotonic()
    with bench() as here:
        here.lock()
        head = (here.project / "lockage.toml").read_text()
        together = [name for name, bug in bugs.items() if not bug.get("alone")]
        groups = [together[at : at + DOZEN] for at in range(0, len(together), DOZEN)]
        groups += [[name] for name, bug in bugs.items() if bug.get("alone")]
        grades: dict[str, str] = {}
        wrong: list[str] = []
        rebuilds = 0
        for group in groups:
            more, told, count = mended(here, {name: bugs[name] for name in group}, head)
            grades, rebuilds = grades | more, rebuilds + count
            for name in group:
                fixable, identical = bugs[name].get("fixable", True), more[name] == "identical"
                wrong += [name] * (fixable and not identical)
                note = "" if fixable == identical else "  <- was to be mended" if fixable else "  <- more than was expected"
                print(f"{name:32}{more[name]:14}{', '.join(told.get(name, [])) or 'nothing fits'}{note}", flush=True)
    good = sum(grade == "identical" for grade in grades.values())
    can = sum(bug.get("fixable", True) for bug in bugs.values())
    print(f"{len(bugs)} bugs: {can} can be mended by a recipe, {good} are ({100 * good / len(bugs):.1f} % of all)")
    print(f"{rebuilds} rebuilds in {time.monotonic() - started:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
