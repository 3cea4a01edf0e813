"""Writes a miniature store as an archive: python tests/golden/store/regenerate.py FORMAT

Run it once for each format of the store, with the first lockage that has it, and keep the archives of the older formats: they
are what upgrades are tested with. In it: a commit built (one step, taken from the action cache, as no sandbox is needed), its
release, and that release on dev. ``keys`` holds the pinned trust root only.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import ChannelName
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree, read_tree
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.plan.plan import make_plan, resolve
from lockage.recipe.model import StepKind
from lockage.recipe.parse import parse_recipe
from lockage.record.result import ActionResult, Usage
from lockage.wiring import Wiring
from lockage.work.attest import record_tests
from lockage.work.hand_over import build_project
from lockage.work.prepare import prepare
from lockage.work.promote import promote
from lockage.work.release import release_project
from lockage.work.test import TestOutcome

FOLDER = Path(__file__).parent
RECIPE = b"""
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
[step.pack]
environment = "build"
run = "cp src/a.txt out.txt"
outputs = ["out.txt"]
artifacts = ["out.txt"]
"""
#: Everything of a store that is not made again by itself: no roots, caches or temporary files.
KEPT = ("format", "ledger.db", "blobs/sha256", "blobs/packs", "actions", "runs")


def project(folder: Path, environ: dict[str, str]) -> None:
    """A committed project with a lock of no packages."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("a\n")
    (folder / "lockage.toml").write_bytes(RECIPE)
    declaration = parse_recipe(RECIPE).environments["build"]
    environment = LockedEnvironment(
        declaration=declaration.digest,
        os=declaration.os,
        architecture="amd64",
        release_date="2026-11-23",
        release_sha256=Digest.of(b"release"),
        root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
        packages=(),
    )
    (folder / "lockage.lock").write_bytes(Lock.of({"build": environment}).encode())
    for arguments in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=folder, env=environ, check=True)


def fill(folder: Path) -> None:
    """A store in ``folder/home`` with its keys in ``folder/keys``."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "LOCKAGE_HOME": str(folder / "home"),
        "LOCKAGE_KEYS": str(folder / "keys"),
        "LOCKAGE_PRINCIPAL": "ada@example.org",
    }
    project(folder / "shop", environ)
    wiring = Wiring(environ)
    wiring.host = {"system": "Linux"}  # nothing of the machine that this was made on
    prepared = prepare(wiring, str(folder / "shop"))
    outputs, directories = Tree.of([FileNode(RelPath("out.txt"), wiring.blobs.put_soon([b"a\n"])[0])]).encode()
    wiring.blobs.put_messages(directories)
    plan = make_plan(prepared.recipe, prepared.lock, prepared.source, kinds=(StepKind.BUILD,))
    source = read_tree(prepared.source.tree, wiring.blobs.get)
    for planned in plan.steps:
        resolved = resolve(planned, source, {})
        wiring.blobs.put_messages(resolved.directories)
        wiring.cache.put(
            resolved.encoded.ref, ActionResult(exit_code=0, outputs=outputs, log=wiring.blobs.put_soon([b""])[0], usage=Usage())
        )
    built = build_project(wiring, prepared)[1]
    untested = TestOutcome(steps=(), run=built.run, run_id=built.run_id, plan=plan)
    record_tests(wiring, prepared, built, untested)  # there are none, which the policy of dev wants signed
    release_project(wiring, prepared)
    promote(wiring, "shop", ChannelName("dev"), expect=None, reason="")
    wiring.ledger.close()  # type: ignore[attr-defined]  # so that SQLite folds its log in


def members(folder: Path) -> list[Path]:
    found = [folder / "keys" / "trust", *(folder / "keys" / "trust").rglob("*")]
    for name in KEPT:
        part = folder / "home" / name
        found += [part, *part.rglob("*")] if part.exists() else []
    return sorted(path for path in found if path.is_file() and path.parent.name != "tmp" and not path.name.startswith("."))


def plain(item: tarfile.TarInfo) -> tarfile.TarInfo:
    item.uid = item.gid = item.mtime = 0
    item.uname = item.gname = ""
    return item


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        fill(base)
        with tarfile.open(FOLDER / f"format-{int(sys.argv[1])}.tar.gz", "w:gz") as archive:
            for path in members(base):
                archive.add(path, arcname=str(path.relative_to(base)), filter=plain)
