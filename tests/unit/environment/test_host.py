"""The fingerprint of a machine: canonical bytes, an identity that is no root's, and in what two differ."""

import msgspec

from lockage.base.digest import Digest
from lockage.environment.host import Fingerprint, HostChange, HostModule, HostPackage, HostTool, fingerprint_changes
from lockage.environment.lock import UNPINNED

GCC = HostPackage(name="gcc-12", architecture="amd64", version="12.2.0-14")
TOOL = HostTool(name="cc", path="/usr/bin/cc", file="/usr/bin/x86_64-linux-gnu-gcc-12", sha256=Digest.of(b"a compiler"))
FOUND = Fingerprint(
    system={"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "VERSION_ID": "12"},
    kernel="6.1.0-18-amd64",
    machine="x86_64",
    libc="glibc 2.36",
    manager="dpkg",
    packages=(GCC,),
    path=("/usr/bin", "/bin"),
    tools=(TOOL,),
    modules=(HostModule(name="wheel", version="0.45", folder="/usr/lib/python3/dist-packages"),),
)
replace = msgspec.structs.replace


def test_it_is_read_as_it_was_written() -> None:
    assert Fingerprint.decode(FOUND.encode()) == FOUND
    assert FOUND.root.tree.digest == Digest.of(FOUND.encode())


def test_its_identity_is_a_hosts_and_not_the_one_that_is_not_known_yet() -> None:
    assert FOUND.root.is_host
    assert FOUND.root != UNPINNED


def test_it_is_named_by_its_system_and_kernel() -> None:
    assert FOUND.title == "Debian GNU/Linux 12 (bookworm), kernel 6.1.0-18-amd64"
    assert replace(FOUND, system={}).title == "an unnamed system, kernel 6.1.0-18-amd64"


def test_a_package_of_another_version_is_named_with_both() -> None:
    other = replace(FOUND, packages=(replace(GCC, version="12.2.0-15"),))
    assert fingerprint_changes(FOUND, other) == (HostChange(what="package gcc-12", a="12.2.0-14 (amd64)", b="12.2.0-15 (amd64)"),)
    assert FOUND.root != other.root


def test_a_package_of_two_architectures_says_both() -> None:
    other = replace(FOUND, packages=(GCC, replace(GCC, architecture="i386")))
    (change,) = fingerprint_changes(FOUND, other)
    assert change.b == "12.2.0-14 (amd64), 12.2.0-14 (i386)"


def test_a_tool_that_came_one_that_went_and_one_of_other_bytes() -> None:
    make = replace(TOOL, name="make", file="/usr/bin/make")
    other = replace(FOUND, tools=(replace(TOOL, sha256=Digest.of(b"another")), make))
    there, gone = fingerprint_changes(FOUND, other), fingerprint_changes(other, FOUND)
    assert [(change.what, change.a is None, change.b is None) for change in there] == [
        ("tool cc", False, False),
        ("tool make", True, False),
    ]
    assert [(change.what, change.b is None) for change in gone] == [("tool cc", False), ("tool make", True)]
    assert there[0].a == f"{TOOL.file} {Digest.of(b'a compiler')[:12]}"


def test_everything_else_that_can_differ_is_named() -> None:
    other = replace(
        FOUND,
        system={**FOUND.system, "VERSION_ID": "13"},
        kernel="6.12",
        machine="aarch64",
        libc="glibc 2.41",
        manager="rpm",
        path=("/opt/bin",),
        modules=(),
    )
    assert [change.what for change in fingerprint_changes(FOUND, other)] == [
        "Python package wheel in /usr/lib/python3/dist-packages",
        "system VERSION_ID",
        "kernel",
        "machine",
        "C library",
        "package manager",
        "search path",
    ]
    assert fingerprint_changes(FOUND, FOUND) == ()
