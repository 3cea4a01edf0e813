"""What `lockage env verify` says, and how it ends, of a lock whose package the store lacks, loses and gets again."""

import json
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.roots_local import LocalRoots
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.cli.app import run
from lockage.environment.base import OsBase
from lockage.environment.lock import Lock, LockedEnvironment, LockedPackage, RootRef

DEB = make_deb("tool", [TarNode(name="./usr/bin/tool", data=b"#!/bin/sh\n", mode=0o755)])
REF = BlobRef.of(DEB)


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one package, and an empty store."""
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    package = LockedPackage(
        name="tool", version="1", architecture="amd64", path=RelPath("pool/tool_1_amd64.deb"), size=REF.size, sha256=REF.digest
    )
    environment = LockedEnvironment(
        declaration=Digest.of(b""),
        os=OsBase(distribution="debian", suite="bookworm"),
        architecture="amd64",
        release_date="2026-11-01T00:00:00Z",
        release_sha256=Digest.of(b""),
        root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
        packages=(package,),
    )
    blobs = LocalBlobs(tmp_path / "scratch" / "blobs")
    blobs.put(DEB)
    ref = LocalRoots(blobs, tmp_path / "scratch" / "roots").realise(environment, expect=False).ref
    file = tmp_path / "lockage.lock"
    file.write_bytes(Lock.of({"build": msgspec.structs.replace(environment, root=ref)}).encode())
    return file


def test_an_environment_is_verified(lock_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verify(*options: str) -> tuple[int, str]:
        code = run(["env", "verify", "--lock", str(lock_file), *options])
        return code, capsys.readouterr().out

    code, text = verify()
    assert code == 3
    assert "build: package tool 1 is not in the store\n  to mend it: `lockage env fetch` gets it\n" in text

    blobs = LocalBlobs(tmp_path / "store" / "blobs")
    blobs.put(DEB)
    code, text = verify("build")
    assert (code, text.split()[-5:]) == (0, ["the", "root", "is", "the", "lock's"])

    (tool,) = (tmp_path / "store" / "roots" / "os").glob("*/root/usr/bin/tool")
    tool.parent.chmod(0o755)
    tool.chmod(0o755)
    tool.write_bytes(b"#!/bin/no\n")
    code, text = verify("--json")
    document = json.loads(text)
    (found,) = document["environments"]
    assert (code, document["whole"], found["root"], [item["kind"] for item in found["unsound"]]) == (6, False, "whole", ["layer"])
    assert "usr/bin/tool" in found["unsound"][0]["what"]
    assert verify()[0] == 0, "it was put together anew"

    (blob,) = (path for path in (tmp_path / "store" / "blobs").rglob("*") if path.is_file() and path.read_bytes() == DEB)
    blob.chmod(0o644)
    blob.write_bytes(DEB[:-1] + b"!")
    code, text = verify()
    assert code == 6
    assert "package tool 1 has sha256" in text
    assert "set aside: " in text
    assert verify("nowhere")[0] == 2
