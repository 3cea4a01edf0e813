"""Does the solver choose what apt chooses?

For a sample of package sets, compares ``resolve`` with the machine's own apt: a private APT_CONFIG, nothing installed, the essential
packages added, no Recommends. Uses only index files of this machine's mirror, which it finds as lockage does.

    python benchmarks/exam_solver.py [--suites bookworm,trixie] [--sets 60] [--seed 7] [--mirror ADDRESS]
"""

from __future__ import annotations

import argparse
import lzma
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.debian_mirror import discover_mirrors
from lockage.environment.debian import Index, Stanza, parse_packages, resolve
from lockage.environment.errors import Unresolvable

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXED = [
    ["python3", "python3-dev", "gcc", "g++", "libc6-dev", "make", "pkg-config", "binutils", "ca-certificates"],
    ["python3-venv", "python3-pip"],
    ["build-essential"],
    ["default-jdk-headless"],
    ["git", "curl", "openssh-client"],
    ["cargo", "rustc"],
    ["nodejs", "npm"],
    ["libopenblas-dev", "gfortran"],
    ["cmake", "ninja-build", "meson"],
    ["mail-transport-agent"],
]
CONFIG = """\
Dir "{root}";
Dir::Etc "{root}/etc";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/usr/share/keyrings";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Solver "internal";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Debug::NoLocking "true";
"""


def apt_world(root: Path, mirror: str, suite: str) -> dict[str, str]:
    """An apt of its own for one suite; the environment to run it in."""
    for folder in ("etc/sources.list.d", "etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").write_bytes(b"")
    (root / "etc/sources.list").write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n")
    (root / "apt.conf").write_text(CONFIG.format(root=root))
    environment = {**os.environ, "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    subprocess.run(["apt-get", "-q", "update"], env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment


def by_apt(environment: dict[str, str], terms: Sequence[str], essential: Sequence[str]) -> set[tuple[str, str]] | None:
    """What apt would install, as (name, version); None if it cannot."""
    done = subprocess.run(
        ["apt-get", "-s", "-q", "install", *terms, *essential], env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        return None
    return {(name.partition(":")[0], version) for name, version in re.findall(r"^Inst (\S+) \((\S+) ", done.stdout, re.MULTILINE)}


def sample(stanzas: Sequence[Stanza], count: int, seed: int) -> list[list[str]]:
    """The fixed sets, then random ones of one to five names."""
    dice = random.Random(seed)
    names = sorted({stanza.name for stanza in stanzas})
    drawn = [dice.sample(names, dice.randint(1, 5)) for _ in range(count - len(FIXED))]
    return [*FIXED, *drawn][:count]


def exam(suite: str, mirror: str, count: int, seed: int) -> tuple[int, int]:
    """Prints the disagreements; returns (agreements, sets)."""
    with urllib.request.urlopen(f"{mirror}/dists/{suite}/main/binary-amd64/Packages.xz") as answer:
        stanzas = parse_packages([lzma.decompress(answer.read())])
    essential = sorted({stanza.name for stanza in stanzas if stanza.essential})
    agreed, spent = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="lockage-solver-") as folder:
        Path(folder).chmod(0o755)
        environment = apt_world(Path(folder), mirror, suite)
        sets = sample(stanzas, count, seed)
        for terms in sets:
            start = time.process_time()
            try:
                ours = {(package.name, package.version) for package in resolve(Index(stanzas), terms, "amd64")}
            except Unresolvable as error:
                ours, why = None, str(error)
            else:
                why = ""
            spent += time.process_time() - start
            theirs = by_apt(environment, terms, essential)
            if ours == theirs:
                agreed += 1
            elif ours is None or theirs is None:
                print(f"  {suite} {' '.join(terms)}: {'we fail: ' + why if ours is None else 'apt fails, we find ' + str(len(ours))}")
            else:
                more, fewer = (" ".join(sorted(name for name, _ in side)) for side in (ours - theirs, theirs - ours))
                print(f"  {suite} {' '.join(terms)}: {len(theirs)} packages; only ours: {more or '-'}; only apt's: {fewer or '-'}")
    print(f"{suite}: {agreed}/{len(sets)} sets agree; {spent / len(sets):.2f} s of CPU a set")
    return agreed, len(sets)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suites", default="bookworm,trixie")
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mirror")
    options = parser.parse_args()
    results = []
    for suite in options.suites.split(","):
        mirror = options.mirror or discover_mirrors(Path("/etc/apt"), None)[0].uri
        results.append(exam(suite, mirror, options.sets, options.seed))
    agreed, total = (sum(column) for column in zip(*results, strict=True))
    print(f"agreement {agreed}/{total} = {100 * agreed / total:.1f} %")
    return 0 if agreed >= 0.95 * total else 1


if __name__ == "__main__":
    sys.exit(main())
