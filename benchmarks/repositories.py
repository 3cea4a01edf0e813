"""What reading a source with very large files takes of memory: one in git's objects, one in Git LFS, both streamed into a store.

    python benchmarks/repositories.py [--mebibytes 400]

See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from hashlib import file_digest
from pathlib import Path

#: Reads a source and says what its process, and git's largest, took at most.
_READ = """
import os, resource, sys
from lockage.wiring import Wiring
Wiring.from_process().sources.read(sys.argv[1])
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
"""


def main() -> int:
    """Make both repositories, read each, print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=400)
    size = parser.parse_args().mebibytes << 20
    with tempfile.TemporaryDirectory(prefix="lockage-large-") as name:
        folder = Path(name)
        print(f"{'source':<12} {'file':>10} {'lockage at most':>18} {'git at most':>18}")
        for kind, made in (
            ("empty", _plain(folder / "empty", 0)),
            ("git object", _plain(folder / "plain", size)),
            ("LFS", _lfs(folder / "lfs", size)),
        ):
            environment = {**os.environ, "LOCKAGE_HOME": str(folder / f"home-{made.name}"), "LOCKAGE_KEYS": str(folder / "keys")}
            done = subprocess.run([sys.executable, "-c", _READ, str(made)], env=environment, check=True, capture_output=True, text=True)
            own, git = (int(line) / 1024 for line in done.stdout.split())
            shown = (size if kind != "empty" else 0) >> 20
            print(f"{kind:<12} {shown:>6} MiB {own:>14.1f} MiB {git:>14.1f} MiB")
    return 0


def _git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.bigFileThreshold=1m", "-c", "core.compression=1")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


def _plain(folder: Path, size: int) -> Path:
    folder.mkdir()
    _git(folder, "init", "-q")
    with (folder / "large").open("wb") as stream:
        stream.truncate(size)
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "one")
    return folder


def _lfs(folder: Path, size: int) -> Path:
    folder.mkdir()
    _git(folder, "init", "-q")
    content = folder / ".git" / "content"
    with content.open("wb+") as stream:
        stream.write(b"not the same as the other")
        stream.truncate(size)
        stream.seek(0)
        digest = file_digest(stream, "sha256").hexdigest()
    kept = folder / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    kept.parent.mkdir(parents=True)
    content.rename(kept)
    (folder / ".gitattributes").write_text("large filter=lfs -text\n")
    (folder / "large").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "one")
    return folder


if __name__ == "__main__":
    sys.exit(main())
