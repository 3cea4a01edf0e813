"""Images of environments that begin with an image, over fakes: whose layers they have, what they say of the base, what is done twice."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lockage.adapters.memory.images import make_image
from lockage.adapters.memory.packages import TarNode, make_tar
from lockage.base.digest import BlobRef, Digest
from lockage.environment.image import ImageConfig
from lockage.environment.image.errors import InvalidImage
from lockage.ports import BlobCorrupt, ImageVanished
from lockage.work.export_image import Exported, export_image
from lockage.work.prepare import lock_project
from lockage.work.release import release_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.memory.image_layouts import MemoryLayout
    from lockage.adapters.memory.images import MadeImage
    from lockage.adapters.memory.services import MemoryServices
    from lockage.base.canonical import Json
    from lockage.environment.lock import LockedEnvironment
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]

HERE = Path("/here")
PLACE = Path("image")
REGISTRY = "registry.example.org/team/base"
LAYERS = ([TarNode(name="a", data=b"1")], [TarNode(name="b", data=b"2")])
HISTORY: Json = [{"created": "2026-01-02T03:04:05Z", "created_by": "a"}, {"created_by": "b"}]
BASE = make_image(LAYERS, settings={"User": "1000", "Labels": {"maintainer": "a"}}, more={"history": HISTORY})


def locked(services: MemoryServices, image: MadeImage, source: str = "shop") -> LockedEnvironment:
    services.base_images.places[REGISTRY] = dict(image.blobs)
    text = f'[project]\nname = "shop"\nversion = "1"\n[environment.build]\nimage = "{REGISTRY}@sha256:{image.index.digest}"\n'
    services.sources.add(source, {"lockage.toml": f'{text}[step.a]\nrun = ["constant", "x"]\noutputs = ["x"]\n'.encode()})
    return lock_project(services, source, folder=HERE, upgrade=False, check=False)[0].environments["build"]


def export(services: MemoryServices, environment: LockedEnvironment, **options: Any) -> Exported:  # Any: options of a test
    return export_image(services, "build", environment, PLACE, ImageConfig(architecture="amd64"), **{"tag": "t", **options})


def layout(services: MemoryServices) -> MemoryLayout:
    return services.image_layouts.layouts[PLACE]


def documents(services: MemoryServices, found: Exported) -> tuple[dict[str, Any], dict[str, Any]]:  # Any: JSON
    """The manifest and the configuration."""
    manifest = json.loads(layout(services).blobs[found.digest])
    return manifest, json.loads(layout(services).blobs[Digest(manifest["config"]["digest"][7:])])


def names(services: MemoryServices, layer: BlobRef) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layout(services).blobs[layer.digest]))) as tar:
        return tar.getnames()


def test_the_bases_layers_are_below_and_what_the_root_has_otherwise_above(services: MemoryServices) -> None:
    found = export(services, locked(services, BASE))
    manifest, config = documents(services, found)
    theirs = json.loads(BASE.blobs[BASE.manifest.digest])["layers"]
    assert manifest["layers"][:2] == theirs
    assert [layer.of_base for layer in found.layers] == [True, True, False]
    assert all(layout(services).blobs[ref.digest] == BASE.blobs[ref.digest] for ref in BASE.layers)
    assert names(services, found.layers[2].blob) == [".wh.device-1", ".wh.device-2"]
    assert config["rootfs"]["diff_ids"][:2] == [f"sha256:{Digest.of(make_tar(nodes))}" for nodes in LAYERS]
    assert config["history"][:2] == HISTORY
    assert [one["comment"] for one in config["history"][2:]] == ["what steps need besides"]


def test_what_the_base_says_of_a_container_is_taken_over(services: MemoryServices) -> None:
    _, config = documents(services, export(services, locked(services, BASE)))
    started = config["config"]
    assert (started["User"], started["Entrypoint"], started["WorkingDir"]) == ("1000", ["/bin/sh"], "/io")
    assert started["Env"] == ["LANG=C.UTF-8", "PATH=/usr/bin:/bin"]
    assert started["Labels"]["maintainer"] == "a"


@pytest.mark.parametrize("place", ["", REGISTRY])
def test_labels_and_annotations_name_the_base_and_a_registry_only_if_the_recipe_does(services: MemoryServices, place: str) -> None:
    manifest, config = documents(services, export(services, locked(services, BASE), place=place))
    expected = {"org.opencontainers.image.base.digest": f"sha256:{BASE.manifest.digest}"}
    if place:
        expected["org.opencontainers.image.base.name"] = f"{REGISTRY}@sha256:{BASE.index.digest}"
    assert manifest["annotations"] == expected
    labels = config["config"]["Labels"]
    assert {name: label for name, label in labels.items() if ".base." in name} == expected
    assert {name for name in labels if name.startswith("lockage.")} == {"lockage.root.metadata", "lockage.root.tree"}


def test_a_base_is_looked_into_once_and_copied_once(services: MemoryServices, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = locked(services, BASE)
    first = export(services, environment)
    puts = layout(services).puts
    monkeypatch.setattr(services.roots, "received", None)
    assert export(services, environment) == first
    assert layout(services).puts == puts
    services.image_layouts.layouts.clear()
    assert export(services, environment) == first


def test_what_a_memo_says_that_cannot_be_read_counts_for_nothing(services: MemoryServices) -> None:
    environment = locked(services, BASE)
    first = export(services, environment)
    for kind, key in list(services.memo.values):
        services.memo.put(kind, key, b"{}")
    assert export(services, environment) == first


def test_two_environments_on_one_base_share_all_that_is_the_bases(services: MemoryServices) -> None:
    ours = export(services, locked(services, BASE))
    other = msgspec.structs.replace(locked(services, BASE), declaration=Digest.of(b"other"))
    assert export(services, other).layers == ours.layers


def test_a_release_is_the_last_layer(services: MemoryServices, commit: Commit) -> None:
    recipe = '[step.a]\nenvironment = "build"\nrun = ["constant", "out.txt"]\noutputs = ["out.txt"]\nartifacts = ["out.txt"]\n'
    release = release_project(services, commit(services, recipe=recipe)).release
    found = export(services, locked(services, BASE, "other"), release=release)
    assert [layer.of_base for layer in found.layers] == [True, True, False, False]
    assert names(services, found.layers[3].blob)[-1] == f"usr/local/share/shop/{release.artifacts[0].name}"


def test_flat_is_without_the_bases_layers(services: MemoryServices) -> None:
    found = export(services, locked(services, BASE), flat=True)
    manifest, config = documents(services, found)
    assert [layer.of_base for layer in found.layers] == [False]
    assert names(services, found.layers[0].blob) == ["a", "b"]
    assert not {ref.digest for ref in BASE.layers} & set(layout(services).blobs)
    assert len(config["history"]) == len(manifest["layers"]) == 1
    assert config["config"]["User"] == "1000"


@pytest.mark.parametrize("diff_ids", [[], [f"sha256:{Digest.of(b'other')}"] * 2])
def test_a_base_whose_archives_are_not_those_it_names_is_refused_and_flat_goes(services: MemoryServices, diff_ids: list[Json]) -> None:
    environment = locked(services, make_image(LAYERS, more={"rootfs": {"type": "layers", "diff_ids": diff_ids}}))
    for _ in range(2):  # nothing of it is remembered
        with pytest.raises(InvalidImage) as caught:
            export(services, environment)
        assert "--flat" in caught.value.hint
    assert not any(one.blobs for one in services.image_layouts.layouts.values())
    assert export(services, environment, flat=True).layers


def test_layers_that_are_not_kept_are_fetched_or_told(services: MemoryServices) -> None:
    environment = locked(services, BASE)
    first = export(services, environment)
    services.image_layouts.layouts.clear()
    del services.blobs.data[BASE.layers[0].digest]
    assert export(services, environment) == first
    del services.blobs.data[BASE.layers[0].digest]
    services.base_images.places.clear()
    with pytest.raises(ImageVanished):
        export(services, environment)


def test_a_layer_that_is_damaged_is_not_copied(services: MemoryServices) -> None:
    environment = locked(services, BASE)
    export(services, environment)
    services.image_layouts.layouts.clear()
    services.blobs.data[BASE.layers[0].digest] = bytes(BASE.layers[0].size)
    services.base_images.places.clear()
    with pytest.raises(BlobCorrupt):
        export(services, environment)
    assert PLACE not in services.image_layouts.layouts
