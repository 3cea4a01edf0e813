"""How fast `lockage diff` finds one changed byte in a shared object of a 17 MB wheel, against diffoscope; and what each of them says.

Run ``.venv/bin/python benchmarks/diff.py [--diffoscope PROGRAM]``. The wheel comes from this machine's index, by version and sha256.
Without a diffoscope on the PATH only lockage is measured. With ``--check``, exit 1 if the target is missed or the findings disagree.
"""

from __future__ import annotations

import argparse
import copy
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

from measuring import PROGRAM, Line, report

from lockage.compare.elf import sections

WHEEL = "numpy==2.2.6 --hash=sha256:ba10f8411898fc418a521833e014a77d3ca01c15b0c6cdcce6a0d2897e6dbbdf"
#: In .text, in a short function, which diffoscope shows as a whole.
_OFFSET = 2_000_000
_TARGET = 50


def fetched(folder: Path) -> Path:
    """The wheel, from this machine's index."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    pip += ["--python-version", "3.11", "--platform", "manylinux2014_x86_64", "--dest", str(folder), "-r", str(wanted)]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    fallback = [uv, "tool", "run", "pip", *pip[3:]]
    if subprocess.run(pip, check=False, capture_output=True).returncode:  # a virtual environment made without pip
        subprocess.run(fallback, check=True)
    return next(folder.glob("*.whl"))


def apart(wheel: Path, folder: Path) -> tuple[list[Path], str, int, int]:
    """Two wheels, alike but for one byte of the largest extension module; its name, the byte's offset and address."""
    with zipfile.ZipFile(wheel) as archive:
        infos = archive.infolist()
        largest = max(
            (info for info in infos if info.filename.endswith(".so") and ".libs/" not in info.filename), key=lambda info: info.file_size
        )
        offset = _OFFSET
        places = [folder / side / wheel.name for side in "ab"]
        for flip, place in enumerate(places):
            place.parent.mkdir()
            with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as out:
                for info in infos:
                    data = bytearray(archive.read(info))
                    if info is largest:
                        data[offset] ^= flip
                    out.writestr(copy.copy(info), bytes(data))  # it writes into what it is given
        found = sections(archive.read(largest))
    section = next(each for each in found if each.offset <= offset < each.offset + each.size)
    return places, largest.filename, offset, section.address + offset - section.offset


class Ran(NamedTuple):
    """A program that ended: seconds by the clock and of CPU, and what it printed."""

    seconds: float
    cpu: float
    said: str


def ran(*command: str) -> Ran:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode not in (1, 4):
        sys.exit(f"{command[0]} exited with {done.returncode}:\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Ran(time.perf_counter() - started, cpu, done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--diffoscope", default=shutil.which("diffoscope"), help="the program to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lockage-benchmark-") as name:
        (a, b), member, offset, address = apart(fetched(Path(name)), Path(name))
        diff = (*PROGRAM, "diff", str(a), str(b))
        ran(*diff)
        mine = [ran(*diff) for _ in range(given.rounds)]
        theirs = ran(given.diffoscope, "--text", "-", str(a), str(b)) if given.diffoscope else None
        mine += [ran(*diff) for _ in range(given.rounds)]  # as busy a machine after it as before it
    print(f"one byte of {member}, at {hex(offset)}\n\nlockage says\n{mine[0].said}")
    seconds, cpu = (statistics.median(values) for values in ([one.seconds for one in mine], [one.cpu for one in mine]))
    if theirs is None:
        print("there is no diffoscope on this machine's PATH: only lockage was measured")
        return report([Line("lockage diff", seconds), Line("lockage diff, CPU time", cpu)], check=False)
    agree = agreed(theirs.said, mine[0].said, member, address)
    results = [Line("lockage diff", seconds), Line("diffoscope", theirs.seconds, seconds)]
    report([*results, Line("lockage diff, CPU time", cpu), Line("diffoscope, CPU time", theirs.cpu, cpu)], check=False)
    kept = theirs.seconds / seconds > _TARGET
    print(f"target: over {_TARGET}x as fast: {'kept' if kept else 'MISSED'}; the same finding: {'yes' if agree else 'NO'}")
    return int(given.check and not (kept and agree))


def agreed(said: str, found: str, member: str, address: int) -> bool:
    """Whether diffoscope shows a change in the member, the section and the function that lockage names; prints its lines of it."""
    place = re.search(r"at 0x[0-9a-f]+: (\.\S+), \S+\+(0x[0-9a-f]+)", found)
    if place is None or member not in said:
        return False
    lines = said.partition(f"── {member}\n")[2].splitlines()
    section = next((index for index, line in enumerate(lines) if f"--section={place[1]} " in line), None)
    begins = f" {address - int(place[2], 16):016x} <"
    function = next((index for index, line in enumerate(lines) if begins in line), None)
    shown = lines[function : function + 16] if function is not None else []
    print(f"diffoscope says, in {len(said)} characters, among them\n" + "\n".join(shown) + "\n")
    return section is not None and function is not None and section < function and any(re.match(r"[│ ]*\+", line) for line in shown)


if __name__ == "__main__":
    sys.exit(main())
