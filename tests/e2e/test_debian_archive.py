"""Against the machine's own mirror: what a stranger's first `lockage lock` needs from Debian."""

import os
from pathlib import Path

import pytest

from lockage.adapters.clock_system import SystemClock
from lockage.adapters.debian_mirror import DebianMirror, discover_mirrors, discover_proxies
from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.openpgp import Keyring, debian_keyring
from lockage.environment.base import OsBase
from lockage.environment.debian import Index, resolve

TERMS = ["python3", "python3-dev", "gcc", "g++", "libc6-dev", "make", "pkg-config", "binutils", "ca-certificates"]


@pytest.mark.network
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_default_environment_resolves_and_its_smallest_packages_arrive(suite: str, tmp_path: Path) -> None:
    apt = Path("/etc/apt")
    blobs = MemoryBlobs()
    mirror = DebianMirror(
        blobs,
        MemoryMemo(),
        SystemClock(),
        tmp_path,
        mirrors=lambda _: discover_mirrors(apt, os.environ.get("LOCKAGE_DEBIAN_MIRROR")),
        verify=debian_keyring().verify,
        verify_alone=Keyring().verify,
        proxies=discover_proxies(apt, os.environ),
    )
    base = OsBase.parse(f"debian:{suite}")
    release, stanzas = mirror.index(base, "amd64")
    packages = resolve(Index(stanzas), TERMS, "amd64")
    assert release.codename == suite
    assert {"python3", "gcc", "libc6", "dash", "dpkg"} <= {package.name for package in packages}
    assert 100 < len(packages) < 200
    smallest = sorted(packages, key=lambda package: package.size)[:5]
    mirror.fetch(base, smallest)
    assert all(blobs.has(package.ref) for package in smallest)
