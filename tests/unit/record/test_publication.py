"""Would an index take it? Every obstacle, each in the smallest package that has it."""

import gzip
import io
import tarfile

import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.record.publication import Examined, Obstacle, examine, remedy


def wheel(metadata: str, *, project: str = "shop", version: str = "1.0", files: dict[str, bytes] | None = None) -> bytes:
    content = {f"{project}-{version}.dist-info/METADATA": metadata.encode(), **(files or {})}
    return make_wheel(project, content, version=version)


def sdist(metadata: str, *, folder: str = "shop-1.0") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in ((f"{folder}/setup.py", b""), (f"{folder}/PKG-INFO", metadata.encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def metadata(name: str = "shop", version: str = "1.0", *more: str) -> str:
    return "".join(f"{line}\n" for line in ("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *more))


def obstacles(found: Examined) -> dict[Obstacle, str]:
    return {note.code: note.reason for note in found.notes}


@pytest.mark.parametrize(
    "name",
    [
        "shop-1.0-py3-none-any.whl",
        "shop-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "shop-1.0-cp38-abi3-musllinux_1_2_x86_64.whl",
    ],
)
def test_a_wheel_that_an_index_takes(name: str) -> None:
    assert examine(name, wheel(metadata())) == Examined(artifact=name, package=True)


def test_an_sdist_that_an_index_takes() -> None:
    found = examine("my_shop-1.0.tar.gz", sdist(metadata("My.Shop", "1.0", "Description-Content-Type: text/markdown")))
    assert found == Examined(artifact="my_shop-1.0.tar.gz", package=True)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_plain_linux_tag(machine: str) -> None:
    found = examine(f"shop-1.0-cp311-cp311-linux_{machine}.whl", wheel(metadata()))
    assert list(obstacles(found)) == [Obstacle.LINUX_TAG]
    assert f"linux_{machine}" in found.notes[0].reason


@pytest.mark.parametrize("name", ["shop.whl", "shop-1.0-py3.whl", "shop-one-py3-none-any.whl"])
def test_a_file_that_is_not_named_as_a_wheel(name: str) -> None:
    assert list(obstacles(examine(name, wheel(metadata())))) == [Obstacle.WHEEL_NAME]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My-Shop-1.0.tar.gz", "my_shop-1.0.tar.gz"),
        ("my.shop-1.0.tar.gz", "my_shop-1.0.tar.gz"),
        ("my_shop-1.0.zip", "my_shop-1.0.tar.gz"),
        ("my_shop-1.00.tar.gz", "my_shop-1.0.tar.gz"),
    ],
)
def test_an_sdist_that_is_not_named_as_one(name: str, expected: str) -> None:
    data = sdist(metadata("my-shop")) if name.endswith("gz") else make_wheel("x", {"my_shop-1.0/PKG-INFO": metadata("my-shop").encode()})
    found = obstacles(examine(name, data))
    assert list(found) == [Obstacle.SDIST_NAME]
    assert expected in found[Obstacle.SDIST_NAME]


def test_a_local_version() -> None:
    built = wheel(metadata(version="1.0+g123"), version="1.0+g123")
    assert list(obstacles(examine("shop-1.0+g123-py3-none-any.whl", built))) == [Obstacle.LOCAL_VERSION]
    assert list(obstacles(examine("shop-1.0+g123.tar.gz", sdist(metadata(version="1.0+g123"))))) == [Obstacle.LOCAL_VERSION]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("Description-Content-Type: text/html",), "description-content-type"),
        (("Requires-Python: three",), "requires-python"),
        (("Requires-Dist: a b c",), "requires-dist"),
        (("License-Expression: Free",), "license-expression"),
        (("Summary: one", "Summary: two"), "summary"),
    ],
)
def test_metadata_that_is_not_valid(lines: tuple[str, ...], says: str) -> None:
    for found in (
        examine("shop-1.0-py3-none-any.whl", wheel(metadata("shop", "1.0", *lines))),
        examine("shop-1.0.tar.gz", sdist(metadata("shop", "1.0", *lines))),
    ):
        reasons = obstacles(found)
        assert list(reasons) == [Obstacle.METADATA]
        assert says in reasons[Obstacle.METADATA].lower()


def test_a_field_that_setuptools_wrote_before_its_time_is_no_obstacle() -> None:
    early = ("Metadata-Version: 2.1", "Name: shop", "Version: 1.0", "License-File: LICENSE")
    assert examine("shop-1.0.tar.gz", sdist("".join(f"{line}\n" for line in early))).notes == ()
    wrong = sdist("".join(f"{line}\n" for line in (*early, "Requires-Python: three")))
    (note,) = examine("shop-1.0.tar.gz", wrong).notes
    assert "license-file" not in note.reason


def test_metadata_of_something_else() -> None:
    found = examine("shop-1.0-py3-none-any.whl", wheel(metadata("shoe", "1.1")))
    assert obstacles(found) == {Obstacle.METADATA: "its metadata says shoe 1.1, its file name shop 1.0"}
    assert list(obstacles(examine("shop-1.0.tar.gz", sdist(metadata(version="one"))))) == [Obstacle.METADATA]


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", wheel(metadata())[:200]], ids=["empty", "torn end", "cut short"])
def test_a_wheel_that_cannot_be_read(data: bytes) -> None:
    assert list(obstacles(examine("shop-1.0-py3-none-any.whl", data))) == [Obstacle.METADATA]


def test_bytes_that_are_no_text() -> None:
    data = make_wheel("shop", {"shop-1.0.dist-info/METADATA": b"\xff\xfe\0"}, version="1.0")
    assert list(obstacles(examine("shop-1.0-py3-none-any.whl", data))) == [Obstacle.METADATA]


@pytest.mark.parametrize("name", ["image.tar.gz", "notes.txt", "backup.gz", "app.zip", "shop"])
def test_what_is_no_package_gets_no_notes(name: str) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a/b"))
    data = make_wheel("x", {}) if name.endswith("zip") else gzip.compress(plain.getvalue(), mtime=0)
    assert examine(name, data) == Examined(artifact=name, package=False)


def test_what_a_repair_took_in_is_listed() -> None:
    files = {"shop.libs/libz-1.so": b"", "shop.libs/liba-2.so.1": b"", "shop/libs/c.so": b""}
    found = examine("shop-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", wheel(metadata(), files=files))
    assert found.grafted == ("liba-2.so.1", "libz-1.so")


@pytest.mark.parametrize("code", Obstacle)
def test_every_obstacle_says_what_to_do(code: Obstacle) -> None:
    assert remedy(code).endswith(".")
    assert remedy(Obstacle.LINUX_TAG, command="lockage build . --publishable").startswith(
        "To publish it on an index: `lockage build . --publishable`"
    )
