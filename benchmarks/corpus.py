"""How much of what others published builds without configuration, and gives the same bytes again?

For every sdist of a list: `lockage build`, then `lockage verify` with the lock that the build wrote. One after the other; what a
results file knows already is not done again, so the exam can be stopped and go on. Prints a line for each sdist and, last, a
table for every build backend and kind. The index is the one that lockage itself would ask.

LIST: lines of name, version, file name, sha256, backend, kind, separated by tabs; `#` begins a comment.

    LOCKAGE_HOME=... LOCKAGE_KEYS=... python benchmarks/corpus.py LIST [--results FILE] [--folder FOLDER] [--only A,B] [--again]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from lockage.adapters.python_index import discover_index
from lockage.adapters.python_index.download import Downloader
from lockage.adapters.python_index.simple import project_files
from lockage.adapters.python_index.uv import Uv

LOCKAGE = (sys.executable, "-P", "-c", "from lockage.cli import main; main()")


class Sdists:
    """The sdists of a list, fetched from the machine's index and checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = discover_index(os.environ, Path.home(), prefix=Path(sys.prefix))
        self._downloader = Downloader(settings)
        uv = Uv(Path(sys.executable).parent / "uv", settings, folder / "uv", Path(sys.executable))
        self._indexes = (*settings.source.extra, settings.source.default or uv.default_index())

    def path(self, name: str, file: str, digest: str) -> Path:
        path = self.folder / file
        if path.is_file() and sha256(path.read_bytes()).hexdigest() == digest:
            return path
        for index in self._indexes:
            for found in project_files(self._downloader, index, name):
                if found.name == file and found.sha256 in (None, digest):
                    data = io.BytesIO()
                    self._downloader.copy(found.address, data)
                    if sha256(data.getvalue()).hexdigest() != digest:
                        raise SystemExit(f"{file} on the index has other bytes than the list says")
                    path.write_bytes(data.getvalue())
                    return path
        raise SystemExit(f"{file} is on no index that is configured here")


def call(*arguments: str, timeout: float) -> tuple[int | None, Any, float]:  # Any: the document of a command
    """Exit code (None: out of time), document and seconds of a command."""
    start = time.monotonic()
    process = subprocess.Popen(
        [*LOCKAGE, *arguments, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()
        return None, None, timeout
    try:
        document = json.loads(out)
    except ValueError:
        document = {"error": {"code": "no-document", "message": err.decode(errors="replace")[-2000:]}}
    return process.returncode, document, round(time.monotonic() - start, 1)


def examine(sdist: Path, out: Path, timeout: float) -> dict[str, Any]:
    """Build and verify one sdist; what is to be known of it."""
    code, document, seconds = call("build", str(sdist), "--out", str(out), timeout=timeout)
    found: dict[str, Any] = {"built": code == 0, "build_seconds": seconds}
    if code != 0:
        return {**found, "error": (document or {}).get("error") or {"code": "timeout", "message": f"no end after {timeout:.0f} s"}}
    wheels = [artifact for artifact in document["artifacts"] if artifact["filename"].endswith(".whl")]
    found["wheel"] = {"filename": wheels[0]["filename"], "sha256": wheels[0]["sha256"]} if wheels else None
    code, document, seconds = call("verify", str(sdist), "--lock", str(out / "lockage.lock"), timeout=timeout * 2)
    found["verify_seconds"] = seconds
    if code not in (0, 4):
        error = (document or {}).get("error") or {"code": "timeout", "message": f"no end after {timeout * 2:.0f} s"}
        return {**found, "reproduced": "failed", "robust": "failed", "error": error}
    blamed = [{"file": artifact["filename"], **difference} for artifact in document["artifacts"] for difference in artifact["differences"]]
    return {
        **found,
        "reproduced": document["reproduced"],
        "robust": document["robust"],
        "raw": [artifact["raw"] for artifact in document["artifacts"] if artifact["filename"].endswith(".whl")],
        "unavailable": document["unavailable"],
        "blamed": blamed[:40],
        "failures": document["failures"],
    }


def line(row: list[str], found: dict[str, Any]) -> str:
    name, version = row[:2]
    if not found["built"]:
        return f"{name} {version}: not built ({found['build_seconds']} s): {found['error']['code']}: {found['error']['message'][:200]}"
    text = f"{name} {version}: built {found['build_seconds']} s; reproduced {found['reproduced']}, robust {found['robust']}"
    text += f" ({found['verify_seconds']} s)"
    why = [f"{item.get('path') or item['file']}" for item in found.get("blamed", ())][:6] + found.get("failures", [])
    return text + (f": {'; '.join(why)}" if why else "")


def print_table(rows: list[list[str]], known: dict[str, dict[str, Any]]) -> None:
    """Numbers for each backend and kind, as a table that documents can take over."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row[2] in known:
            groups[row[4], row[5]].append(known[row[2]])
            groups["all", row[5]].append(known[row[2]])
    print("\n| backend | kind | sdists | built | reproduced identical | robust identical | build s (median) | verify s (median) |")
    print("|---|---|---|---|---|---|---|---|")
    for (backend, kind), found in sorted(groups.items(), key=lambda item: (item[0][0] == "all", item[0])):
        built = [one for one in found if one["built"]]
        same = [sum(one.get(claim) == "identical" for one in built) for claim in ("reproduced", "robust")]
        times = [sorted(one.get(what, 0.0) for one in built) for what in ("build_seconds", "verify_seconds")]
        middle = [f"{sorted_times[len(sorted_times) // 2]:.1f}" if sorted_times else "" for sorted_times in times]
        print(f"| {backend} | {kind} | {len(found)} | {len(built)} | {same[0]} | {same[1]} | {middle[0]} | {middle[1]} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("list", type=Path, metavar="LIST")
    parser.add_argument("--folder", type=Path, default=Path("corpus"), help="where the sdists and what is built of them are put")
    parser.add_argument("--results", type=Path, help="JSON Lines, one for each sdist done (default: results.jsonl in the folder)")
    parser.add_argument("--only", help="these projects, separated by commas, in this order")
    parser.add_argument("--again", action="store_true", help="do again what was not built or not identical")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each build; a verification gets twice as many")
    parser.add_argument("--table", action="store_true", help="only print what is known")
    options = parser.parse_args()
    rows = [text.split("\t") for text in options.list.read_text().splitlines() if text and not text.startswith("#")]
    results: Path = options.results or options.folder / "results.jsonl"
    known: dict[str, dict[str, Any]] = {}
    if results.is_file():
        for text in results.read_text().splitlines():
            found = json.loads(text)
            known[found["sdist"]] = found
    if not options.table:
        chosen = {row[0]: row for row in rows}
        names = options.only.split(",") if options.only else list(chosen)
        sdists = Sdists(options.folder / "sdists")
        for row in (chosen[name] for name in names):
            before = known.get(row[2])
            if before is not None and (not options.again or before.get("robust") == "identical"):
                continue
            found = examine(sdists.path(row[0], row[2], row[3]), options.folder / "out" / row[0], options.timeout)
            known[row[2]] = {"sdist": row[2], **found}
            with results.open("a") as stream:
                stream.write(json.dumps(known[row[2]]) + "\n")
            print(line(row, found), flush=True)
    print_table(rows, known)
    return 0 if all(known.get(row[2], {}).get("robust") == "identical" for row in rows if row[2] in known) else 1


if __name__ == "__main__":
    sys.exit(main())
