"""An environment as an OCI image: read and unpacked by skopeo and umoci, which run in an environment of their own, and run."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

RECIPE = """
[project]
name = "images"
version = "1"
[environment.small]
os = "debian:bookworm"
packages = ["dash"]
variables = { GREETING = "hello" }
[environment.tools]
os = "debian:bookworm"
packages = ["skopeo", "umoci", "dash", "coreutils"]
[step.look]
environment = "tools"
inputs = ["image/**"]
run = \"\"\"
skopeo inspect --config oci:image:small > config.json
skopeo inspect oci:image:small > image.json
umoci unpack --rootless --image image:small bundle
cd bundle/rootfs
./lib64/ld-linux-x86-64.so.2 --library-path lib/x86_64-linux-gnu ./usr/bin/dash -c 'echo it runs' > ../../said
stat -c '%a %Y' usr/bin/dash >> ../../said
\"\"\"
outputs = ["config.json", "image.json", "said"]
artifacts = ["config.json", "image.json", "said"]
"""


@pytest.fixture(scope="module")
def exported(warm: Store, module_path: Path) -> tuple[Store, str]:
    store = warm.copy(module_path / "images")
    work = store.work.parent / "images"
    work.mkdir()
    store = dataclasses.replace(store, work=work)
    store.git("init", "-q")
    (work / "lockage.toml").write_text(RECIPE)
    store("lock", expect=0)
    found = store("env", "export", "small", "--oci", "image", "--tag", "small", "--sbom", "--json", expect=0).json
    store.commit("an image")
    return store, found["digest"]


def test_other_tools_read_and_unpack_it_and_it_runs(exported: tuple[Store, str], tmp_path: Path) -> None:
    store, digest = exported
    store("build", "--out", tmp_path, expect=0)
    assert json.loads((tmp_path / "image.json").read_text())["Digest"] == digest
    assert "GREETING=hello" in json.loads((tmp_path / "config.json").read_text())["config"]["Env"]
    assert (tmp_path / "said").read_text().split("\n")[:2] == ["it runs", "755 315532800"]


def test_another_user_of_another_store_gets_the_same_image(exported: tuple[Store, str], tmp_path: Path) -> None:
    store, digest = exported
    shutil.copytree(store.work, tmp_path / "work")
    shutil.rmtree(tmp_path / "work" / "image")
    other = dataclasses.replace(store, home=tmp_path / "home", keys=tmp_path / "keys", work=tmp_path / "work")
    arguments = ("env", "export", "small", "--oci", tmp_path / "small.tar", "--tag", "small", "--json")
    script = 'umask 077; exec "$@"'
    done = other.run(["sh", "-c", script, "sh", *other.command(*arguments)], TZ="Asia/Kathmandu")
    assert done.code == 0, done
    assert done.json["digest"] == digest


def test_the_bill_of_materials_is_one_to_who_made_the_format(exported: tuple[Store, str], tmp_path: Path) -> None:
    store, digest = exported
    index = json.loads((store.work / "image/index.json").read_text())["manifests"]
    (attached,) = (one for one in index if one.get("artifactType") == "application/vnd.cyclonedx+json")
    manifest = json.loads((store.work / "image/blobs/sha256" / attached["digest"][7:]).read_text())
    assert manifest["subject"]["digest"] == digest
    bill = (store.work / "image/blobs/sha256" / manifest["layers"][0]["digest"][7:]).read_text()
    assert store("env", "sbom", "small", expect=0).stdout == bill + "\n"
    (tmp_path / "bill.json").write_text(bill)
    made = store.run([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    assert made.code == 0, made
    python = str(tmp_path / "venv/bin/python")
    got = store.run([python, "-m", "pip", "install", "-q", "cyclonedx-python-lib[json-validation]"])
    assert got.code == 0, got
    script = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator; from cyclonedx.schema import SchemaVersion; "
        "print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))"
    )
    assert store.run([python, "-c", script, str(tmp_path / "bill.json")]).stdout == "None\n"
