"""How far does a stranger get with other people's extension modules by doing what the errors say, and nothing else?

Every sdist of a list is built without configuration. When that fails with a command to type, that command is typed, as it stands,
up to five times. Prints a table: what was built, in how many rounds, with which packages. One after the other; the index and the
mirror are those that lockage itself asks.

LIST: lines of name, version, file name, sha256, backend, kind, separated by tabs; `#` begins a comment.

    LOCKAGE_HOME=... LOCKAGE_KEYS=... python benchmarks/first_hour.py LIST [--folder FOLDER] [--only A,B] [--timeout SECONDS]
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from corpus import Sdists, call

ROUNDS = 5


def follow(sdist: Path, out: Path, timeout: float) -> dict[str, Any]:
    """Build as a stranger would; what came of it."""
    arguments = ["build", str(sdist), "--out", str(out)]
    seconds = 0.0
    error: dict[str, Any] = {}
    for number in range(1, ROUNDS + 1):
        code, document, spent = call(*arguments, timeout=timeout)
        seconds += spent
        found = {"rounds": number, "packages": added(arguments), "seconds": round(seconds, 1)}
        if code == 0:
            wheels = [artifact["filename"] for artifact in document["artifacts"] if artifact["filename"].endswith(".whl")]
            return {**found, "built": bool(wheels), "wheel": wheels[0] if wheels else None}
        error = (document or {}).get("error") or {"code": "timeout", "message": f"no end after {timeout:.0f} s"}
        command = shlex.split(error.get("details", {}).get("command", ""))
        if not command or command[1:] == arguments:
            break
        arguments = command[1:]
    return {**found, "built": False, "error": {name: error.get(name) for name in ("code", "message", "hint", "details")}}


def added(arguments: list[str]) -> list[str]:
    """The packages that a command line adds."""
    return [value for option, value in pairwise(arguments) if option == "--add"]


def cells(row: list[str], found: dict[str, Any]) -> str:
    """One line of the table."""
    why = "yes" if found["built"] else f"no: {found['error']['code']}: {found['error']['message'][:120]}"
    packages = ", ".join(found["packages"]) or "none"
    texts = (f"{row[0]} {row[1]}", row[4], row[5], why.replace("|", "/").replace("\n", " "), str(found["rounds"]), packages)
    return f"| {' | '.join(texts)} | {found['seconds']:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("list", type=Path, metavar="LIST")
    parser.add_argument("--folder", type=Path, default=Path("corpus"), help="where the sdists and what is built of them are put")
    parser.add_argument("--only", help="these projects, separated by commas, in this order")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for each round")
    options = parser.parse_args()
    rows = [text.split("\t") for text in options.list.read_text().splitlines() if text and not text.startswith("#")]
    chosen = {row[0]: row for row in rows}
    names = options.only.split(",") if options.only else list(chosen)
    sdists = Sdists(options.folder / "sdists")
    results = options.folder / "first_hour.jsonl"
    built = 0
    print("| sdist | backend | kind | built | rounds | packages added | seconds |")
    print("|---|---|---|---|---|---|---|")
    for row in (chosen[name] for name in names):
        found = follow(sdists.path(row[0], row[2], row[3]), options.folder / "out" / row[0], options.timeout)
        with results.open("a") as stream:
            stream.write(json.dumps({"sdist": row[2], **found}) + "\n")
        print(cells(row, found), flush=True)
        built += found["built"]
    print(f"\n{built} of {len(names)} built.")
    return 0 if built == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
