"""A committed project that can be built without a sandbox, because its only step is in the action cache."""

import os
import subprocess
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
    (folder / "lockage.lock").write_bytes(Lock.of({"build": environment}).encode())
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
