"""Crates over fakes: fetched once, laid where cargo looks, part of the action and of provenance."""

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.canonical import parse
from lockage.base.digest import BlobRef, Digest
from lockage.evidence.bundle import parse_bundle
from lockage.plan.plan import make_plan
from lockage.ports import InputChanged, InputVanished, MirrorUnconfigured
from lockage.recipe.crates import InvalidCargoLock
from lockage.work.attest import record_provenance
from lockage.work.build import Built, build
from lockage.work.environments import lay_in
from lockage.work.prepare import Project

Commit = Callable[..., Project]

STEP = """
[step.bin]
inputs = ["src/**"]
crates = "Cargo.lock"
run = ["cat", "out"]
outputs = ["out"]
artifacts = ["out"]
"""
BASE = "https://crates.example.org/dl"


def crate(files: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size, item.type, item.linkname = len(data) if kind == tarfile.REGTYPE else 0, kind, "x"
            archive.addfile(item, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=0)


GOOD = crate({"itoa-1.0.11/Cargo.toml": b"[package]\n", "itoa-1.0.11/src/lib.rs": b"// itoa\n"})


def lock(data: bytes) -> bytes:
    source = "registry+https://registry.example.org/" + "crates/io-index".replace("/", ".")
    return f'[[package]]\nname = "itoa"\nversion = "1.0.11"\nsource = "{source}"\nchecksum = "{Digest.of(data)}"\n'.encode()


def publish(services: MemoryServices, data: bytes) -> str:
    services.crate_registry = BASE
    url = f"{BASE}/itoa/1.0.11/download"
    services.downloads.files[url] = data
    return url


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def test_a_step_sees_every_crate_where_cargo_looks(services: MemoryServices, commit: Commit) -> None:
    seen: dict[str, bytes] = {}

    def look(workspace: Workspace) -> int:
        seen.update({str(path): data for path, data in workspace.files.items()})
        workspace.write("out", b"")
        return 0

    services.commands["cat"] = look
    publish(services, GOOD)
    built(services, commit(services, {"Cargo.lock": lock(GOOD), "src/main.rs": b""}, recipe=STEP))
    folder = ".cargo/vendor/itoa-1.0.11"
    assert seen[f"{folder}/src/lib.rs"] == b"// itoa\n"
    assert parse(seen[f"{folder}/.cargo-checksum.json"]) == {"files": {}, "package": Digest.of(GOOD)}
    assert b'directory = ".cargo/vendor"' in seen[".cargo/config.toml"]
    assert "Cargo.lock" not in seen  # it is for lockage; the step's own inputs say what it sees of the source


@pytest.mark.parametrize("lost", ["nothing", "memo", "file"])
def test_crates_are_got_and_unpacked_once(services: MemoryServices, commit: Commit, lost: str) -> None:
    url = publish(services, GOOD)
    project = commit(services, {"Cargo.lock": lock(GOOD)}, recipe=STEP)
    first = built(services, project)
    services.downloads.down.add(url)
    assert built(services, project).executed == 0
    services.cache.results.clear()
    if lost == "memo":
        services.memo.values.clear()
    elif lost == "file":
        del services.blobs.data[Digest.of(b"// itoa\n")]
    again = built(services, project)
    assert (again.executed, again.artifacts) == (1, first.artifacts)
    assert services.downloads.asked == [url]


def test_another_crate_is_another_action(services: MemoryServices, commit: Commit) -> None:
    publish(services, GOOD)
    built(services, commit(services, {"Cargo.lock": lock(GOOD)}, recipe=STEP))
    other = crate({"itoa-1.0.11/src/lib.rs": b"// another\n"})
    publish(services, other)
    assert built(services, commit(services, {"Cargo.lock": lock(other)}, recipe=STEP)).executed == 1


def test_without_a_registry_the_setting_is_named(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(MirrorUnconfigured) as caught:
        built(services, commit(services, {"Cargo.lock": lock(GOOD)}, recipe=STEP))
    assert "LOCKAGE_CRATES" in caught.value.hint
    assert built(services, commit(services, {"Cargo.lock": b"version = 4\n"}, recipe=STEP)).executed == 1


def test_a_cargo_lock_that_is_not_there_is_named(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(InvalidCargoLock, match=r"the source has no file Cargo\.lock"):
        built(services, commit(services, recipe=STEP))


def test_a_crate_that_is_gone_is_named(services: MemoryServices, commit: Commit) -> None:
    services.downloads.files.clear()
    services.crate_registry = BASE
    with pytest.raises(InputVanished, match=r"itoa-1\.0\.11"):
        built(services, commit(services, {"Cargo.lock": lock(GOOD)}, recipe=STEP))


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        GOOD[:-30],
        gzip.compress(b"no tar"),
        crate({"other-1.0.11/src/lib.rs": b""}),
        crate({"itoa-1.0.11/../../etc/passwd": b""}),
        crate({"itoa-1.0.11/a": b""}, kind=tarfile.SYMTYPE),
        crate({"itoa-1.0.11/a": b"", "itoa-1.0.11/a/b": b""}),
    ],
    ids=["bytes", "cut", "no-tar", "other-folder", "climbs", "link", "file-and-folder"],
)
def test_an_archive_that_is_no_crate_is_refused(services: MemoryServices, commit: Commit, data: bytes) -> None:
    publish(services, data)
    with pytest.raises(InputChanged, match=r"the crate itoa-1\.0\.11 is no archive of its own files"):
        built(services, commit(services, {"Cargo.lock": lock(data)}, recipe=STEP))


def test_provenance_and_laying_in_know_them(services: MemoryServices, commit: Commit) -> None:
    url = publish(services, GOOD)
    project = commit(services, {"Cargo.lock": lock(GOOD)}, recipe=STEP)
    (inputs,) = (item for item in lay_in(services, project) if item.name == "fetch inputs")
    assert (inputs.count, inputs.size) == (1, len(GOOD))
    services.downloads.down.add(url)
    plan = make_plan(project.recipe, project.lock, project.source)
    record_provenance(services, plan, build(services, plan), recipe_path="lockage.toml")
    (bundle,) = services.memo.values[next(key for key in services.memo.values if key[0] == "provenance")].decode().split()
    statement = parse(parse_bundle(services.blobs.get(BlobRef.parse(bundle))).envelope.payload)
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert dependencies[-1] == {"name": "crate/itoa-1.0.11", "uri": "pkg:cargo/itoa@1.0.11", "digest": {"sha256": Digest.of(GOOD)}}
