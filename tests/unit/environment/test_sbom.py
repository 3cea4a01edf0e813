"""The bill of materials of an environment."""

import json
import re
import uuid

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedWheel, RootRef
from lockage.environment.sbom import Installed, sbom

ENVIRONMENT = LockedEnvironment(
    declaration=Digest.of(b""),
    os=OsBase.parse("debian:bookworm"),
    architecture="amd64",
    release_date="2026-01-01T00:00:00Z",
    release_sha256=Digest.of(b""),
    root=RootRef(tree=BlobRef.of(b"tree"), metadata=Digest.of(b"metadata")),
    packages=(
        LockedPackage(name="g++", version="4:12.2.0-3", architecture="amd64", path=RelPath("g.deb"), size=1, sha256=Digest.of(b"g")),
        LockedPackage(name="tzdata", version="2026a-0+deb12u1", architecture="all", path=RelPath("t.deb"), size=1, sha256=Digest.of(b"t")),
    ),
    python=(LockedWheel(name="build", version="1.3.0", file=RelPath("build-1.3.0-py3-none-any.whl"), size=1, sha256=Digest.of(b"b")),),
)


def test_every_package_is_named_by_its_url_and_hash() -> None:
    found = json.loads(sbom("build", ENVIRONMENT))
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
    libraries = {one["purl"]: one["hashes"][0]["content"] for one in found["components"] if one["type"] == "library"}
    assert libraries == {
        "pkg:deb/debian/g%2B%2B@4%3A12.2.0-3?arch=amd64&distro=debian-bookworm": Digest.of(b"g"),
        "pkg:deb/debian/tzdata@2026a-0%2Bdeb12u1?arch=all&distro=debian-bookworm": Digest.of(b"t"),
        "pkg:pypi/build@1.3.0": Digest.of(b"b"),
    }
    assert {"type": "operating-system", "bom-ref": "os:debian:bookworm", "name": "debian", "version": "bookworm"} in found["components"]


def test_references_are_unique_and_sorted() -> None:
    found = [one["bom-ref"] for one in json.loads(sbom("build", ENVIRONMENT))["components"]]
    assert found == sorted(set(found))


def test_the_serial_number_follows_from_the_rest() -> None:
    one, same = sbom("build", ENVIRONMENT), sbom("build", msgspec.structs.replace(ENVIRONMENT, packages=ENVIRONMENT.packages[::-1]))
    assert one == same
    serial = json.loads(one)["serialNumber"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", serial)
    assert (uuid.UUID(serial).version, uuid.UUID(serial).variant) == (8, uuid.RFC_4122)
    file = Installed(project="shop", version="1", name="shop-1.whl", sha256=Digest.of(b"s"))
    assert json.loads(sbom("build", ENVIRONMENT, [file]))["serialNumber"] != serial
