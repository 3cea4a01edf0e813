"""How much of what others published builds without configuration, and gives the same bytes again?

For every sdist of a list: `lockage build --add-missing`, then `lockage verify` with the lock that the build wrote. A line for each as it
ends; last, tables: per build backend and kind what was built and what came out identical, why others were not built, and what is to
blame where bytes differ.

Every sdist done has a file of its own in the folder, and is not done again: an exam can be stopped and go on. Store and keys lie in the
folder as well, unless LOCKAGE_HOME and LOCKAGE_KEYS name others. The index and the mirror are those that lockage itself asks.

LIST: lines of name, version, file name and sha256 between white space; what follows is passed over, `#` begins a comment.

    python benchmarks/corpus.py LIST [--folder FOLDER] [--only A,B] [--jobs N] [--again] [--table] [--axes A,B] [--all]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from published import Listed, Sdists, backend_of, read_list

LOCKAGE = (sys.executable, "-P", "-c", "from lockage.cli import main; main()")

Found = dict[str, Any]  # what is known of one sdist, as its file has it


class Ended(NamedTuple):
    """What came of a command: exit code (None: out of time), document, seconds, and MiB of the largest of its processes."""

    code: int | None
    document: Any
    seconds: float
    memory: int

    @property
    def error(self) -> dict[str, Any]:
        known = (self.document or {}).get("error")
        return known or {"code": "timeout", "message": f"no end after {self.seconds:.0f} s"}


def call(*arguments: str, timeout: float) -> Ended:
    """Run a command to its end, or to the time-out in seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        process = subprocess.Popen(
            [*LOCKAGE, *arguments, "--json"], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        alarm = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGTERM))
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)  # the only way to the memory of this one's processes
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = round(time.monotonic() - start, 1)
        if seconds >= timeout:
            return Ended(None, None, seconds, usage.ru_maxrss >> 10)
        out.seek(0)
        err.seek(0)
        try:
            document = json.load(out)
        except ValueError:
            document = {"error": {"code": "no-document", "message": err.read().decode(errors="replace")[-2000:]}}
        return Ended(process.returncode, document, seconds, usage.ru_maxrss >> 10)


def examine(sdist: Path, out: Path, timeout: float, chosen: tuple[str, ...]) -> Found:
    """Build and verify one sdist; what is to be known of it."""
    backend, kind = backend_of(sdist)
    ended = call("build", str(sdist), "--out", str(out), "--add-missing", timeout=timeout)
    added = ended.document["added"] if ended.code == 0 else []
    found: Found = {"backend": backend, "kind": kind, "built": ended.code == 0, "added": added}
    found |= {"build_seconds": ended.seconds, "memory": ended.memory}
    if ended.code != 0:
        return {**found, "error": ended.error}
    wheel = next((artifact for artifact in ended.document["artifacts"] if artifact["filename"].endswith(".whl")), None)
    if wheel is None:
        return {**found, "built": False, "error": {"code": "no-wheel", "message": "the build delivered no wheel"}}
    found |= {
        "kind": "pure" if wheel["filename"].endswith("-any.whl") else "ext",
        "wheel": {"filename": wheel["filename"], "sha256": wheel["sha256"]},
    }
    ended = call("verify", str(sdist), "--lock", str(out / "lockage.lock"), *chosen, timeout=timeout * 2)
    found |= {"verify_seconds": ended.seconds, "memory": max(found["memory"], ended.memory)}
    if ended.code not in (0, 4):
        return {**found, "reproduced": "failed", "robust": "failed", "error": ended.error}
    wanted = ("reproduced", "robust", "axes", "unavailable", "failures", "last_lines", "blame", "blame_exhausted")
    found |= {name: ended.document[name] for name in wanted}
    found["raw"] = next((one["raw"] for one in ended.document["artifacts"] if one["filename"] == wheel["filename"]), None)
    found["differing"] = [part for artifact in ended.document["artifacts"] for part in artifact["differences"]][:40]
    return found


def line(listed: Listed, found: Found) -> str:
    """What came of one sdist, in a line."""
    start = f"{listed.name} {listed.version}"
    if not found["built"]:
        return f"{start}: not built ({found['build_seconds']} s): {found['error']['code']}: {found['error']['message'][:300]}"
    added = f" with {', '.join(found['added'])}" if found["added"] else ""
    claims = f"reproduced {found['reproduced']}, robust {found['robust']} ({found['verify_seconds']} s)"
    return "; ".join((f"{start}: built{added} ({found['build_seconds']} s)", claims, *blamed(found)))


def blamed(found: Found) -> list[str]:
    """What is to blame, a text for each cause; a failure of a rebuild is one."""
    texts = [f"{one['cause']} ({' with '.join(one['axes']) or 'by itself'})" for one in found.get("blame", ())]
    texts += [failure[:160] for failure in found.get("failures", ())]
    if found["built"] and not texts and found["robust"] != "identical":
        texts = [found["error"]["message"][:160] if "error" in found else "nothing is blamed"]
    return list(dict.fromkeys(texts))


def not_built(found: Found) -> str:
    """Why there is no wheel, in words that group."""
    error = found["error"]
    missing = error.get("details", {}).get("missing", ())
    return f"{error['code']}: {', '.join(missing)}" if missing else f"{error['code']}: {error['message'][:120]}"


def print_tables(known: dict[str, Found]) -> None:
    """Numbers for each backend and kind, and the reasons, as tables that documents can take over."""
    groups: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for found in known.values():
        groups[found["backend"], found["kind"]].append(found)
        groups["all", found["kind"]].append(found)
    titles = ("sdists", "built", "nothing added", "reproduced", "robust", "before passes", "build s", "longest", "verify s", "MiB")
    print(f"\n| backend | kind | {' | '.join(titles)} |\n|{'---|' * (2 + len(titles))}")
    for (backend, kind), group in sorted(groups.items(), key=lambda item: (item[0][0] == "all", item[0])):
        good = [one for one in group if one["built"]]
        same = [sum(one.get(claim) == "identical" for one in good) for claim in ("reproduced", "robust", "raw")]
        times = [sorted(one.get(what, 0.0) for one in good) or [0.0] for what in ("build_seconds", "verify_seconds")]
        cells = (len(group), len(good), sum(not one["added"] for one in good), *same)
        middle = [f"{seconds[len(seconds) // 2]:.1f}" for seconds in times]
        largest = max((one["memory"] for one in good), default=0)
        print(f"| {backend} | {kind} | {' | '.join(map(str, (*cells, middle[0], times[0][-1], middle[1], largest)))} |")
    print_reasons("not built", {name: [not_built(found)] for name, found in known.items() if not found["built"]})
    print_reasons("to blame", {name: blamed(found) for name, found in known.items() if found["built"]})
    print_reasons("added", {name: found["added"] for name, found in known.items() if found["built"]})


def print_reasons(title: str, reasons: dict[str, list[str]]) -> None:
    """Each reason with those that it holds for, the most frequent first; nothing where there is none."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, texts in reasons.items():
        for text in texts:
            names[text.replace("|", "/").replace("\n", " ")].append(name)
    if names:
        print(f"\n| {title} | how many | which |\n|---|---|---|")
        for text, of in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
            print(f"| {text} | {len(of)} | {', '.join(of)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("list", type=Path, metavar="LIST")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "lockage-corpus", help="where everything is kept")
    parser.add_argument("--only", help="these projects, separated by commas, in this order")
    parser.add_argument("--jobs", type=int, default=1, help="how many sdists beside each other")
    parser.add_argument("--again", action="store_true", help="do again what was not built or not identical")
    parser.add_argument("--axes", help="verify with these axes only, separated by commas")
    parser.add_argument(
        "--all", action="store_true", help="verify with all axes, also those that are dear or that a sound build may fail on"
    )
    parser.add_argument("--timeout", type=float, default=1200.0, help="seconds for each build; a verification gets twice as many")
    parser.add_argument("--table", action="store_true", help="only print what is known")
    options = parser.parse_args()
    folder: Path = options.folder.absolute()
    for name, place in (("LOCKAGE_HOME", "home"), ("LOCKAGE_KEYS", "keys")):
        os.environ.setdefault(name, str(folder / place))
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    rows = {listed.name: listed for listed in read_list(options.list)}
    chosen = [rows[name] for name in options.only.split(",")] if options.only else list(rows.values())
    files = {listed.name: results / f"{listed.file}.json" for listed in chosen}
    known: dict[str, Found] = {name: json.loads(file.read_bytes()) for name, file in files.items() if file.is_file()}
    sdists = Sdists(folder / "sdists")
    verifying = (*(("--axes", options.axes) if options.axes else ()), *(("--all",) if options.all else ()))

    def do(listed: Listed) -> None:
        try:
            found = examine(sdists.path(listed), folder / "out" / listed.name, options.timeout, verifying)
        except LookupError as error:
            print(f"{listed.name} {listed.version}: {error}", flush=True)
            return
        part = files[listed.name].with_suffix(".part")
        part.write_text(json.dumps(found, indent=1))
        part.replace(files[listed.name])
        known[listed.name] = found
        print(line(listed, found), flush=True)

    if not options.table:
        left = [one for one in chosen if one.name not in known or (options.again and known[one.name].get("robust") != "identical")]
        with ThreadPoolExecutor(options.jobs) as workers:
            for done in as_completed([workers.submit(do, listed) for listed in left]):
                done.result()
    print_tables({listed.name: known[listed.name] for listed in chosen if listed.name in known})
    return 0 if all(known.get(listed.name, {}).get("robust") == "identical" for listed in chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
