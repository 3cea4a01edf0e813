"""Wheels are installed by the book, and wheels with a defect are refused by its name."""

import io
import zipfile

import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.environment.root import InvalidPackage, UnsupportedPackage
from lockage.environment.wheel_install import install_wheel

NAME = "shop-1-py3-none-any.whl"
SITE = "lib/python3.11/dist-packages"


def installed(data: bytes, name: str = NAME) -> dict[str, tuple[bytes, bool]]:
    return {str(file.path): (file.data, file.executable) for file in install_wheel(name, data, "3.11")}


def test_every_kind_of_file_goes_to_its_place() -> None:
    files = installed(
        make_wheel(
            "shop",
            {
                "shop/__init__.py": b"x = 1\n",
                "shop/tool.sh": b"#!/bin/sh\n",
                "shop-1.data/purelib/pure.py": b"p",
                "shop-1.data/platlib/plat.so": b"s",
                "shop-1.data/scripts/run": b"#!python\nprint()\n",
                "shop-1.data/scripts/other": b"#!/bin/sh\n",
                "shop-1.data/headers/shop.h": b"h",
                "shop-1.data/data/share/man/shop.1": b"m",
            },
            executable=["shop/tool.sh"],
        )
    )
    assert {path: files[path] for path in files if "dist-info" not in path} == {
        f"{SITE}/shop/__init__.py": (b"x = 1\n", False),
        f"{SITE}/shop/tool.sh": (b"#!/bin/sh\n", True),
        f"{SITE}/pure.py": (b"p", False),
        f"{SITE}/plat.so": (b"s", False),
        "bin/run": (b"#!/usr/bin/python3\nprint()\n", True),
        "bin/other": (b"#!/bin/sh\n", True),
        "include/python3.11/shop/shop.h": (b"h", False),
        "share/man/shop.1": (b"m", False),
    }


def test_entry_points_become_commands() -> None:
    points = (
        b"[console_scripts]\nShop = shop.cli:main.run\nshop-old = shop:old [extra]\n"
        b"[gui_scripts]\nshopw=shop:gui\n[other]\nx = not a:script\n"
    )
    files = installed(make_wheel("shop", {"shop-1.dist-info/entry_points.txt": points}))
    assert files["bin/Shop"] == (
        b'#!/usr/bin/python3\nimport sys\nfrom shop.cli import main\n\nif __name__ == "__main__":\n    sys.exit(main.run())\n',
        True,
    )
    assert {"bin/shop-old", "bin/shopw"} < files.keys()
    assert "bin/x" not in files


def test_the_record_lists_what_was_installed_sorted() -> None:
    files = installed(make_wheel("shop", {"shop/a.py": b"", "shop-1.dist-info/entry_points.txt": b"[console_scripts]\nshop = shop:main\n"}))
    record = files[f"{SITE}/shop-1.dist-info/RECORD"][0].decode()
    assert files[f"{SITE}/shop-1.dist-info/INSTALLER"] == (b"lockage\n", False)
    assert [line.split(",")[0] for line in record.splitlines()] == [
        "../../../bin/shop",
        "shop-1.dist-info/INSTALLER",
        "shop-1.dist-info/METADATA",
        "shop-1.dist-info/WHEEL",
        "shop-1.dist-info/entry_points.txt",
        "shop/a.py",
        "shop-1.dist-info/RECORD",
    ]
    assert "shop/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n" in record


def test_the_order_of_the_archive_does_not_matter() -> None:
    there = installed(make_wheel("shop", {"shop/a.py": b"a", "shop/b.py": b"b"}))
    back = installed(make_wheel("shop", {"shop/b.py": b"b", "shop/a.py": b"a"}))
    assert list(there.items()) == list(back.items())


@pytest.mark.parametrize("name", ["shop-1.dist-info/INSTALLER", "shop-1.dist-info/direct_url.json", "shop-1.dist-info/REQUESTED"])
def test_what_only_installers_write_is_not_taken_from_a_wheel(name: str) -> None:
    files = installed(make_wheel("shop", {name: b"pip\n"}))
    assert files.get(f"{SITE}/{name}", (b"lockage\n", False)) == (b"lockage\n", False)


def _with_member(name: str, data: bytes = b"x", attributes: int = 0o100644) -> bytes:
    out = io.BytesIO(make_wheel("shop", {}))
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr = attributes << 16
        archive.writestr(info, data)
    return out.getvalue()


_GOOD = make_wheel("shop", {"shop/a.py": b"some content\n"})
_INFO = "shop-1.dist-info"

DEFECTS = {
    "not-a-zip": b"nothing",
    "cut": _GOOD[:-40],
    "unrecorded-file": make_wheel("shop", {"shop/a.py": b""}, record={"shop/a.py": ""}),
    "recorded-but-absent": make_wheel("shop", {}, record={"shop/a.py": "shop/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"}),
    "other-digest": make_wheel(
        "shop", {"shop/a.py": b"1"}, record={"shop/a.py": "shop/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,1"}
    ),
    "other-size": make_wheel(
        "shop", {"shop/a.py": b""}, record={"shop/a.py": "shop/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,7"}
    ),
    "malformed-record": make_wheel("shop", {"shop/a.py": b""}, record={"shop/a.py": "shop/a.py"}),
    "climbing-member": make_wheel("shop", {"../escaped.py": b""}),
    "climbing-data": make_wheel("shop", {"shop-1.data/scripts/../../../../x": b""}),
    "absolute-member": make_wheel("shop", {"/etc/x": b""}),
    "backslash": make_wheel("shop", {"shop\\a.py": b""}),
    "drive": make_wheel("shop", {"C:/a.py": b""}),
    "symbolic-link": _with_member("shop/link", b"/etc/passwd", 0o120777),
    "no-metadata": make_wheel("other", {}),
    "two-metadata-folders": make_wheel("shop", {"other-2.dist-info/METADATA": b""}),
    "unknown-data-kind": make_wheel("shop", {"shop-1.data/system/x": b""}),
    "malformed-entry-points": make_wheel("shop", {f"{_INFO}/entry_points.txt": b"shop = a:b\n"}),
    "script-is-no-callable": make_wheel("shop", {f"{_INFO}/entry_points.txt": b"[console_scripts]\nshop = import os; x:y\n"}),
    "script-with-path": make_wheel("shop", {f"{_INFO}/entry_points.txt": b"[console_scripts]\n../shop = a:b\n"}),
    "metadata-not-utf-8": make_wheel("shop", {f"{_INFO}/entry_points.txt": b"\xff"}),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_bad_wheel_is_refused_and_named(defect: str) -> None:
    with pytest.raises(InvalidPackage, match="shop-1-py3-none-any"):
        installed(DEFECTS[defect])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidPackage, match="two members"):
        installed(_with_member(f"{_INFO}/METADATA"))


def test_a_changed_byte_in_a_member_is_refused() -> None:
    data = make_wheel("shop", {"shop/a.bin": bytes(range(256)) * 40})
    at = data.index(b"shop/a.bin") + 30
    with pytest.raises(InvalidPackage):
        installed(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


@pytest.mark.parametrize(
    "data",
    [
        make_wheel("shop", {f"{_INFO}/WHEEL": b"Wheel-Version: 2.0\n"}),
        make_wheel("shop", {f"{_INFO}/WHEEL": b"Generator: x\n"}),
        make_wheel("shop", {"shop/a.py": b""}, record={"shop/a.py": "shop/a.py,md5=x,0"}),
        make_wheel("shop", {"shop/a.py": b""}, record={"shop/a.py": "shop/a.py,,"}),
    ],
    ids=["wheel-version-2", "no-wheel-version", "md5", "no-digest"],
)
def test_a_wheel_of_another_kind_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedPackage):
        installed(data)
