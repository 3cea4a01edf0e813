"""What a resolver is told of a version that is to be built: from an sdist's PKG-INFO, or from a wheel."""

import io
import zipfile

import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.environment.stand_in import NotAWheel, PackageMetadata, metadata_of_wheel, static_metadata

TOLD = """Metadata-Version: 2.2
Name: shop
Version: 1
Requires-Python: >=3.9
Requires-Dist: idna (<4,
  >=2)
Requires-Dist: socks; extra == "proxy"
Provides-Extra: proxy

Requires-Dist: of the description
"""


def test_metadata_that_is_final_is_read() -> None:
    assert static_metadata(TOLD.encode()) == PackageMetadata(
        requires=("idna (<4, >=2)", 'socks; extra == "proxy"'), extras=("proxy",), requires_python=">=3.9"
    )


@pytest.mark.parametrize("version", ["2.2", "2.4", "3.0"])
def test_versions_that_say_what_is_final(version: str) -> None:
    assert static_metadata(TOLD.replace("2.2", version).encode()) is not None


@pytest.mark.parametrize("version", ["1.0", "2.1", "", "new", "2.x"])
def test_versions_that_do_not_say_what_is_final(version: str) -> None:
    assert static_metadata(TOLD.replace("2.2", version).encode()) is None


@pytest.mark.parametrize(
    ("field", "final"), [("Requires-Dist", False), ("provides-extra", False), ("Requires-Python", False), ("License", True)]
)
def test_what_a_build_decides_is_not_final(field: str, final: bool) -> None:
    found = static_metadata(TOLD.replace("Name:", f"Dynamic: {field}\nName:").encode())
    assert (found is not None) is final


def test_an_sdist_without_metadata_tells_nothing() -> None:
    assert static_metadata(None) is None
    assert static_metadata(b"") is None


def test_a_wheel_is_believed() -> None:
    data = make_wheel("shop", {"shop.py": b""}, requires=("idna", "socks; extra == 'proxy'"))
    assert metadata_of_wheel("shop-1-py3-none-any.whl", data) == PackageMetadata(requires=("idna", "socks; extra == 'proxy'"))


def test_what_is_no_wheel_is_named() -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for data in (b"", b"PK\x03\x04", empty.getvalue()):
        with pytest.raises(NotAWheel, match="shop-1-py3-none-any") as caught:
            metadata_of_wheel("shop-1-py3-none-any.whl", data)
        assert caught.value.details["file"] == "shop-1-py3-none-any.whl"
