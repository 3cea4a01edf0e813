"""Environments that begin with an image, over fakes: what is locked, what is fetched and from where, and what is said when it changes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.images import make_image
from lockage.adapters.memory.packages import TarNode
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.base.errors import Usage
from lockage.environment.difference import environment_difference
from lockage.environment.image.errors import UnsupportedImage
from lockage.environment.image.interpreter import NoInterpreter
from lockage.environment.lock import Lock
from lockage.environment.python import NoPython, locked_target
from lockage.environment.sbom import sbom
from lockage.plan.fit import LockMismatch
from lockage.plan.plan import make_plan
from lockage.ports import ImageVanished
from lockage.work.base_image import fetch_image, image_of_tag
from lockage.work.environments import items_of, lay_in
from lockage.work.hand_over import build_project
from lockage.work.prepare import lock_project, prepare
from lockage.work.reach import Reach

HERE = Path("/here")
IMAGE = make_image(
    [[TarNode(name="a", data=b"1")], [TarNode(name="b", data=b"2")]],
    variables=["PATH=/opt/rh/bin:/usr/bin", "AUDITWHEEL_PLAT=manylinux_2_28_x86_64", "HOME=/root", "LC_ALL=en_US.UTF-8", "LOCKAGE_X=1"],
)
OTHER = make_image([[TarNode(name="a", data=b"other")]])


def recipe(digest: Digest, place: str = "registry.example.org/pypa/manylinux", more: str = "") -> bytes:
    return f"""
[project]
name = "shop"
version = "1.0"
[environment.build]
image = "{place}@sha256:{digest}"
variables = {{ AUDITWHEEL_PLAT = "mine" }}
{more}
[step.a]
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
""".encode()


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    services.base_images.places["registry.example.org/pypa/manylinux"] = {**IMAGE.blobs, **OTHER.blobs}
    return services


def lock(services: MemoryServices, text: bytes, source: str = "shop") -> Lock:
    services.sources.add(source, {"lockage.toml": text})
    return lock_project(services, source, folder=HERE, upgrade=False, check=False)[0]


@pytest.mark.parametrize("named", ["index", "manifest"])
def test_an_image_is_locked_by_all_that_it_is_made_of(services: MemoryServices, named: str) -> None:
    digest = getattr(IMAGE, named).digest
    found = lock(services, recipe(digest)).environments["build"].pulled
    assert found is not None
    assert (found.name, found.manifest, found.config, found.layers) == ("manylinux", IMAGE.manifest, IMAGE.config, IMAGE.layers)
    assert found.index == (IMAGE.index if named == "index" else msgspec.UNSET)
    assert found.digest == digest
    assert found.variables == {"AUDITWHEEL_PLAT": "manylinux_2_28_x86_64", "PATH": "/opt/rh/bin:/usr/bin"}
    assert all(services.blobs.has(ref) for _, ref in found.parts)


def test_the_lock_names_no_host_and_is_read_as_it_was_written(services: MemoryServices) -> None:
    found = lock(services, recipe(IMAGE.index.digest))
    data = found.encode()
    assert b"registry.example.org" not in data
    again = Lock.decode(data)
    assert again == found
    assert Lock.of(dict(again.environments)).encode() == data


def test_locking_twice_gives_the_same_and_asks_nobody(services: MemoryServices) -> None:
    first = lock(services, recipe(IMAGE.index.digest))
    services.base_images.asked.clear()
    assert lock(services, recipe(IMAGE.index.digest)) == first
    services.sources.add("shop", {"lockage.toml": recipe(IMAGE.index.digest, "packages.example.org/pypa/manylinux")})
    assert lock_project(services, "shop", folder=HERE, upgrade=False, check=True) == (first, False)
    assert services.base_images.asked == []


def test_another_image_stops_before_anything_is_built_and_both_are_named(services: MemoryServices) -> None:
    before = lock(services, recipe(IMAGE.index.digest))
    services.sources.add("shop", {"lockage.toml": recipe(OTHER.index.digest), "lockage.lock": before.encode()})
    with pytest.raises(LockMismatch) as caught:
        prepare(services, "shop")
    said = f"image is sha256:{OTHER.index.digest}, locked is sha256:{IMAGE.index.digest}"
    assert caught.value.details["differences"] == (said,)
    assert "lockage lock" in caught.value.hint


def test_another_interpreter_is_told(services: MemoryServices) -> None:
    before = lock(services, recipe(IMAGE.index.digest))
    text = recipe(IMAGE.index.digest, more='interpreter = "/opt/bin/python3"')
    services.sources.add("shop", {"lockage.toml": text, "lockage.lock": before.encode()})
    with pytest.raises(LockMismatch) as caught:
        prepare(services, "shop")
    assert caught.value.details["differences"] == ("interpreter is /opt/bin/python3, locked is none",)


def test_another_base_altogether_is_told_as_well(services: MemoryServices) -> None:
    before = lock(services, recipe(IMAGE.index.digest))
    text = recipe(IMAGE.index.digest).replace(
        f'image = "registry.example.org/pypa/manylinux@sha256:{IMAGE.index.digest}"'.encode(), b'os = "debian:bookworm"'
    )
    services.sources.add("shop", {"lockage.toml": text, "lockage.lock": before.encode()})
    with pytest.raises(LockMismatch) as caught:
        prepare(services, "shop")
    assert caught.value.details["differences"] == (f"os is debian:bookworm, locked is image sha256:{IMAGE.index.digest}",)


def test_what_the_store_lacks_is_fetched_from_where_the_recipe_says(services: MemoryServices) -> None:
    found = lock(services, recipe(IMAGE.index.digest))
    fresh = MemoryServices()
    fresh.base_images.places["packages.example.org/a/manylinux"] = dict(IMAGE.blobs)
    fresh.sources.add(
        "shop", {"lockage.toml": recipe(IMAGE.index.digest, "packages.example.org/a/manylinux"), "lockage.lock": found.encode()}
    )
    (laid_in,) = lay_in(fresh, prepare(fresh, "shop"))
    assert (laid_in.count, laid_in.fetched) == (5, 5)
    assert {item.version for item in items_of(fresh, found.environments["build"]) if item.kept} == {
        "index",
        "manifest",
        "config",
        "layer 1",
        "layer 2",
    }


def test_with_the_lock_alone_nobody_knows_where_an_image_is(services: MemoryServices) -> None:
    pulled = lock(services, recipe(IMAGE.index.digest)).environments["build"].pulled
    assert pulled is not None
    with pytest.raises(ImageVanished, match="only a recipe says") as caught:
        fetch_image(MemoryServices(), pulled)
    assert "env fetch" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "place", "asked"),
    [
        ("shop", "oci:../base", "oci:shop/../base"),
        ("shop@v1", "oci:base", "oci:shop/base"),
        ("shop#subdirectory=api", "oci:base", "oci:shop/base"),
        ("https://example.org/shop.git@v1", "oci:base", "oci:./base"),
        ("shop-1.tar.gz", "oci:base", "oci:./base"),
        ("shop", "oci:/srv/base", "oci:/srv/base"),
    ],
)
def test_the_path_of_a_layout_counts_from_the_source(services: MemoryServices, source: str, place: str, asked: str) -> None:
    services.base_images.places = {asked: dict(IMAGE.blobs)}
    assert lock(services, recipe(IMAGE.index.digest, place), source).environments["build"].pulled is not None


def test_an_image_that_is_not_there(services: MemoryServices) -> None:
    with pytest.raises(ImageVanished):
        lock(services, recipe(Digest.of(b"never made")))


def test_an_image_for_another_machine(services: MemoryServices) -> None:
    services.architecture = "arm64"
    with pytest.raises(UnsupportedImage, match="not for linux/arm64") as caught:
        lock(services, recipe(IMAGE.index.digest))
    assert caught.value.details["environment"] == "build"


def test_variables_of_the_image_come_below_those_of_the_recipe_and_its_path_counts(services: MemoryServices) -> None:
    found = lock(services, recipe(IMAGE.index.digest))
    services.sources.add("shop", {"lockage.toml": recipe(IMAGE.index.digest), "lockage.lock": found.encode()})
    project = prepare(services, "shop")
    variables = dict(make_plan(project.recipe, project.lock, project.source).steps[0].variables)
    assert variables["PATH"] == "/opt/rh/bin:/usr/bin"
    assert variables["AUDITWHEEL_PLAT"] == "mine"
    assert (variables["HOME"], variables["LC_ALL"]) == ("/home/builder", "C.UTF-8")
    assert "LOCKAGE_X" not in variables


def test_python_packages_want_a_python(services: MemoryServices) -> None:
    with pytest.raises(NoPython, match="no python3 in /usr/bin"):
        lock(services, recipe(IMAGE.index.digest, more='python = ["build"]'))
    with pytest.raises(NoInterpreter, match="no program /opt/bin/python3"):
        lock(services, recipe(IMAGE.index.digest, more='interpreter = "/opt/bin/python3"'))
    with pytest.raises(NoPython, match="no Python that lockage knows"):
        locked_target(lock(services, recipe(IMAGE.index.digest)).environments["build"])


def test_a_difference_and_a_bill_name_the_image(services: MemoryServices) -> None:
    one = lock(services, recipe(IMAGE.index.digest)).environments["build"]
    two = lock(services, recipe(OTHER.index.digest)).environments["build"]
    fields = {change.field: (change.a, change.b) for change in environment_difference(one, two).fields}
    assert fields["base"] == (f"image sha256:{IMAGE.index.digest[:12]}", f"image sha256:{OTHER.index.digest[:12]}")
    assert f"pkg:oci/manylinux@sha256%3A{IMAGE.manifest.digest}".encode() in sbom("build", one)


def test_what_a_lock_names_of_an_image_is_no_garbage(services: MemoryServices) -> None:
    found = lock(services, recipe(IMAGE.index.digest))
    reach = Reach(services)
    reach.lock(found.digest)
    pulled = found.environments["build"].pulled
    assert pulled is not None
    assert {ref.digest for _, ref in pulled.parts} <= reach.digests


def test_a_tag_is_told_as_a_recipe_wants_it(services: MemoryServices) -> None:
    services.base_images.tags["registry.example.org/pypa/manylinux", "2"] = IMAGE.index.digest
    found = image_of_tag(services, "registry.example.org/pypa/manylinux:2")
    assert (found.place, found.digest) == ("registry.example.org/pypa/manylinux", IMAGE.index.digest)
    with pytest.raises(Usage, match="does not begin with a registry"):
        image_of_tag(services, "debian:latest")


@pytest.mark.parametrize("named", ["index", "manifest"])
def test_the_signed_provenance_names_the_image(services: MemoryServices, named: str) -> None:
    text = recipe(getattr(IMAGE, named).digest)
    services.sources.add("shop", {"lockage.toml": text, "lockage.lock": lock(services, text).encode()})
    build_project(services, prepare(services, "shop"))
    statements = [json.loads(data) for data in services.blobs.data.values() if b"dsseEnvelope" in data]
    told = [json.loads(base64.b64decode(one["dsseEnvelope"]["payload"])) for one in statements]
    (provenance,) = [one["predicate"] for one in told if "provenance" in one["predicateType"]]
    (image,) = [one for one in provenance["buildDefinition"]["resolvedDependencies"] if one["name"] == "image/build"]
    assert image["digest"] == {"sha256": str(IMAGE.manifest.digest)}
    index = {"index": str(IMAGE.index.digest)} if named == "index" else {}
    assert image["annotations"] == {"size": str(IMAGE.manifest.size), **index}
