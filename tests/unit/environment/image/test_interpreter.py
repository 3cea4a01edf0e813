"""The Python of an image, told from its files."""

import pytest

from lockage.adapters.memory.images import elf
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter
from lockage.environment.image.interpreter import NoInterpreter, interpreter_in
from lockage.environment.python import NoPython, target_on
from lockage.environment.root import Entry, Kind, Member
from lockage.environment.root.layered import layered

GLIBC = elf(rest=b"\0GNU C Library (GNU libc) stable release version 2.28.\nCopyright")
MANYLINUX: dict[str, bytes | str] = {
    "opt/python/cp312-cp312": "../_internal/cpython-3.12.4",
    "opt/_internal/cpython-3.12.4/bin/python3": "python3.12",
    "opt/_internal/cpython-3.12.4/bin/python3.12": elf(),
    "opt/_internal/cpython-3.12.4/include/python3.12/patchlevel.h": b'/* */\n#define PY_VERSION             "3.12.4"\n',
    "lib64": "usr/lib64",
    "usr/lib64/libc.so.6": "libc-2.28.so",
    "usr/lib64/libc-2.28.so": GLIBC,
}
DEBIAN: dict[str, bytes | str] = {
    "bin": "usr/bin",
    "usr/bin/python3": "python3.11",
    "usr/bin/python3.11": elf(),
    "usr/lib/python3/dist-packages/x.py": b"",
    "usr/lib/x86_64-linux-gnu/libc.so.6": GLIBC,
}


def found(files: dict[str, bytes | str], named: str | None = None) -> Interpreter | NoPython | None:
    """The Python of an image of files, and of links whose target is a text."""
    contents = {path: data for path, data in files.items() if isinstance(data, bytes)}
    members = [
        Member(path=RelPath(path), kind=Kind.LINK, mode=0o777, target=data)
        if isinstance(data, str)
        else Member(path=RelPath(path), kind=Kind.FILE, mode=0o755, size=len(data), sha256=Digest.of(data), source=path)
        for path, data in files.items()
    ]

    def read(entry: Entry) -> bytes:
        return contents[entry.path]

    return interpreter_in(layered([members]), read, named, "amd64")


def test_a_named_python_has_its_packages_in_its_own_folder() -> None:
    python = found(MANYLINUX, "/opt/python/cp312-cp312/bin/python3")
    assert python == Interpreter(
        path="/opt/python/cp312-cp312/bin/python3",
        version="3.12.4",
        glibc="2.28",
        folder=RelPath("opt/_internal/cpython-3.12.4"),
        site=RelPath("lib/python3.12/site-packages"),
    )
    target = target_on(python, "amd64")
    assert (target.version, target.full_version) == ("3.12", "3.12.4")
    assert next(target.platforms()) == "manylinux_2_28_x86_64"


def test_debians_python_looks_in_usr_local() -> None:
    python = found(DEBIAN)
    assert isinstance(python, Interpreter)
    assert (python.path, python.version, python.folder, python.site) == (
        "/usr/bin/python3",
        "3.11",
        "usr/local",
        "lib/python3.11/dist-packages",
    )


def test_a_python_in_usr_local_is_the_second_choice() -> None:
    python = found({"usr/local/bin/python3": "python3.13", "usr/local/bin/python3.13": elf(), "lib/libc.so.6": GLIBC})
    assert isinstance(python, Interpreter)
    assert (python.path, python.folder, python.site) == ("/usr/local/bin/python3", "usr/local", "lib/python3.13/site-packages")


def test_without_one_there_is_none() -> None:
    assert found({"bin/sh": elf()}) is None
    with pytest.raises(NoInterpreter, match="no program /opt/python3"):
        found(MANYLINUX, "/opt/python3")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"lib/ld-musl-x86_64.so.1": elf(), "usr/bin/python3": "python3.12", "usr/bin/python3.12": elf()}, "has musl"),
        ({"usr/bin/python3": "python3.12", "usr/bin/python3.12": elf()}, "no C library that lockage knows"),
        ({**DEBIAN, "usr/bin/python3.11": elf("arm64")}, "no program for amd64"),
        ({**DEBIAN, "usr/bin/python3.11": b"#!/bin/sh\n"}, "no program for amd64"),
        ({**DEBIAN, "usr/bin/python3": "pypy3", "usr/bin/pypy3": elf()}, "leads to /usr/bin/pypy3"),
    ],
)
def test_what_no_wheels_can_be_chosen_for(files: dict[str, bytes | str], said: str) -> None:
    python = found(files)
    assert isinstance(python, NoPython)
    assert said in python.message
