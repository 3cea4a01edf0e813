"""A build with nothing to do imports only what it uses: that is most of what it costs (benchmarks/commands.py has the time)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree, read_tree
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.plan.plan import make_plan, resolve
from lockage.recipe.model import StepKind
from lockage.recipe.parse import parse_recipe
from lockage.record.result import ActionResult, Usage
from lockage.wiring import Wiring
from lockage.work.prepare import prepare

#: What other commands need, or a build in which something is done; each costs milliseconds or brings what does.
HEAVY = {
    "asyncio",
    "bz2",
    "concurrent.futures",
    "cryptography",
    "difflib",
    "email",
    "http",
    "lockage.adapters.debian_mirror",
    "lockage.adapters.ledger_sql",
    "lockage.adapters.python_index",
    "lockage.adapters.roots_local",
    "lockage.adapters.sandbox_bwrap",
    "lockage.adapters.signer_file",
    "lockage.adapters.source_directory",
    "lockage.adapters.source_sdist",
    "lockage.environment.debian",
    "lockage.environment.root",
    "lockage.evidence",
    "lockage.recipe.parse",
    "logging",
    "lzma",
    "packaging",
    "random",
    "rich",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "tarfile",
    "tempfile",
    "tomllib",
    "urllib.request",
    "uv",
    "zipfile",
}
#: Small ones add up as well: there are some 150 beside those that the interpreter starts with.
MOST = 170

RECIPE = b"""
[project]
name = "shop"
version = "pyproject"
[environment.build]
os = "debian:bookworm"
[step.pack]
environment = "build"
run = "cp src/a.txt out.txt"
outputs = ["out.txt"]
artifacts = ["out.txt"]
"""
RUN = """
import json, sys
before = set(sys.modules)
from lockage.cli.app import run
status = run(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(sorted(set(sys.modules) - before)))
sys.exit(status)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LOCKAGE_HOME": str(tmp_path / "store"),
        "LOCKAGE_KEYS": str(tmp_path / "keys"),
    }


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A committed project whose only step is in the action cache, as if it had been run."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("a\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1.0"\n')
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
    (folder / "lockage.lock").write_bytes(Lock(environments={"build": environment}).encode())
    for arguments in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=folder, env=environ, check=True)
    wiring = Wiring(environ)
    prepared = prepare(wiring, str(folder))
    outputs, directories = Tree.of([FileNode(RelPath("out.txt"), wiring.blobs.put(b"a\n"))]).encode()
    wiring.blobs.put_many(directories.values())
    plan = make_plan(prepared.recipe, prepared.lock, prepared.source, kinds=(StepKind.BUILD,))
    (action,) = (resolve(planned, read_tree(prepared.source.tree, wiring.blobs.get), {}).encoded.ref for planned in plan.steps)
    wiring.cache.put(action, ActionResult(exit_code=0, outputs=outputs, log=wiring.blobs.put(b""), usage=Usage()))
    return folder


def build(project: Path, environ: dict[str, str], modules: Path) -> set[str]:
    """Build in a process of its own; the modules that it imported."""
    command = [sys.executable, "-P", "-c", RUN, str(modules), "build", str(project), "--out", str(project.parent / "out")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    return set(json.loads(modules.read_text()))


def test_a_build_with_nothing_to_do_imports_only_what_it_uses(project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    first = build(project, environ, tmp_path / "modules.json")
    assert first & HEAVY  # it signed provenance, so the list names what there is
    again = build(project, environ, tmp_path / "modules.json")
    assert again & HEAVY == set()
    assert len(again) < MOST
