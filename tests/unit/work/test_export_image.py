"""Environments as images, over fakes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.base.digest import Digest
from lockage.environment.image import ImageConfig
from lockage.work.export_image import Exported, NotInstallable, export_image
from lockage.work.release import release_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.memory.image_layouts import MemoryLayout
    from lockage.adapters.memory.services import MemoryServices
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]

PLACE = Path("image")
FILE = """
[step.pack]
environment = "build"
run = ["constant", "out.txt"]
outputs = ["out.txt"]
artifacts = ["out.txt"]
"""


def export(services: MemoryServices, project: Project, **options: object) -> Exported:
    environment = project.lock.environments["build"]
    return export_image(services, "build", environment, PLACE, ImageConfig(architecture="amd64"), **{"tag": "t", **options})  # type: ignore[arg-type]  # options of a test


def layout(services: MemoryServices) -> MemoryLayout:
    return services.image_layouts.layouts[PLACE]


def test_everything_that_the_index_names_is_there(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    found = export(services, project)
    blobs = layout(services).blobs
    (image,) = json.loads(layout(services).index or b"")["manifests"]
    assert image["digest"] == f"sha256:{found.digest}"
    manifest = json.loads(blobs[found.digest])
    config = json.loads(blobs[Digest(manifest["config"]["digest"][7:])])
    assert config["config"]["Labels"]["lockage.root.tree"] == project.lock.environments["build"].root.tree.digest
    (diff_id,) = config["rootfs"]["diff_ids"]
    (layer,) = manifest["layers"]
    plain = gzip.decompress(blobs[Digest(layer["digest"][7:])])
    assert f"sha256:{Digest.of(plain)}" == diff_id


def test_a_layer_that_is_there_is_not_packed_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    first = export(services, project)
    puts = layout(services).puts
    assert export(services, project).digest == first.digest
    assert layout(services).puts == puts
    layout(services).blobs.pop(first.layers[0].blob.digest)  # what is remembered but gone is packed again
    assert export(services, project).digest == first.digest
    assert layout(services).puts == puts + 1


def test_files_of_a_release_are_the_last_layer(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=FILE)
    release = release_project(services, project).release
    found = export(services, project, release=release)
    assert len(found.layers) == 2
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layout(services).blobs[found.layers[1].blob.digest]))) as tar:
        names = tar.getnames()
    assert f"usr/local/share/shop/{release.artifacts[0].name}" in names
    document = json.loads(layout(services).blobs[found.digest])
    labels = json.loads(layout(services).blobs[Digest(document["config"]["digest"][7:])])["config"]["Labels"]
    assert labels["lockage.release"] == release.digest


def test_a_wheel_needs_a_python_that_it_is_for(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    release = release_project(services, project).release
    with pytest.raises(NotInstallable, match=r"the environment has no Python; no wheel of the release fits: shop-1\.0-py3-none-any\.whl"):
        export(services, project, release=release)
    assert layout(services).index is None


def test_labels_that_are_given_count_before_our_own(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    config = ImageConfig(architecture="amd64", labels={"lockage.root.tree": "mine", "a": "b"})
    found = export_image(services, "build", project.lock.environments["build"], PLACE, config, tag=None)
    manifest = json.loads(layout(services).blobs[found.digest])
    labels = json.loads(layout(services).blobs[Digest(manifest["config"]["digest"][7:])])["config"]["Labels"]
    assert (labels["lockage.root.tree"], labels["a"]) == ("mine", "b")
    assert msgspec.json.decode(layout(services).index or b"")["manifests"][0].get("annotations") is None


def test_a_bill_of_materials_is_attached_to_the_image_and_no_part_of_it(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=FILE)
    release = release_project(services, project).release
    bare = export(services, project, release=release)
    found = export(services, project, release=release, with_bill=True)
    assert found.digest == bare.digest
    index = json.loads(layout(services).index or b"")["manifests"]
    assert [one.get("artifactType") for one in index] == [None, "application/vnd.cyclonedx+json"]
    assert "org.opencontainers.image.ref.name" not in index[1]["annotations"]
    blobs = layout(services).blobs
    manifest = json.loads(blobs[Digest(index[1]["digest"][7:])])
    assert manifest["subject"]["digest"] == f"sha256:{found.digest}"
    assert blobs[Digest(manifest["config"]["digest"][7:])] == b"{}"
    bill = json.loads(blobs[Digest(manifest["layers"][0]["digest"][7:])])
    assert {one["name"] for one in bill["components"] if one["type"] == "file"} == {artifact.name for artifact in release.artifacts}
    assert export(services, project, release=release, with_bill=True).digest == found.digest
    assert len(json.loads(layout(services).index or b"")["manifests"]) == 2


def test_an_image_without_one_has_the_bytes_that_it_always_had(services: MemoryServices, commit: Commit) -> None:
    found = export(services, commit(services))
    manifest = json.loads(layout(services).blobs[found.digest])
    assert set(manifest) == {"schemaVersion", "mediaType", "config", "layers"}
