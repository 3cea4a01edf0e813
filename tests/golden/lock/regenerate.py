"""Write or verify the vectors of lockage.lock: `python tests/golden/lock/regenerate.py [--verify]`."""

import sys
from pathlib import Path

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.declaration import Architecture, Declaration
from lockage.environment.lock import Lock, LockedEnvironment, LockedPackage, LockedWheel, RootRef

HERE = Path(__file__).parent
BASE = OsBase.parse("debian:bookworm")
DECLARATION = Declaration(os=BASE, packages=("dash",), python=("markupsafe",))


def package(name: str, version: str, architecture: str) -> LockedPackage:
    path = RelPath(f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb")
    return LockedPackage(name=name, version=version, architecture=architecture, path=path, size=len(path), sha256=Digest.of(path.encode()))


def environment(architecture: Architecture, machine: str) -> LockedEnvironment:
    file = RelPath(f"markupsafe-3.0.2-cp311-cp311-manylinux_2_17_{machine}.whl")
    return LockedEnvironment(
        declaration=DECLARATION.digest,
        os=BASE,
        architecture=architecture,
        release_date="2026-07-11T10:16:37Z",
        release_sha256=Digest.of(b"Release"),
        root=RootRef(tree=BlobRef.of(f"root of {architecture}".encode()), metadata=Digest.of(architecture.encode())),
        packages=(package("dash", "0.5.12-2", architecture), package("tzdata", "2026a", "all")),
        python=(LockedWheel(name="markupsafe", version="3.0.2", file=file, size=len(file), sha256=Digest.of(file.encode())),),
        instruments=(package("libfaketime", "0.9.10-2.1", architecture),),
    )


AMD, ARM = environment("amd64", "x86_64"), environment("arm64", "aarch64")
LOCKS = {
    "one-platform.lock": Lock.of({"build": AMD}),
    "two-platforms.lock": Lock.of({"build@arm64": ARM, "build@amd64": AMD, "board": ARM}),
}


def main() -> int:
    stale = [name for name, lock in LOCKS.items() if not (HERE / name).exists() or (HERE / name).read_bytes() != lock.encode()]
    for name in stale:
        print(f"{name} is not what the code makes" if "--verify" in sys.argv[1:] else f"wrote {name}")
        if "--verify" not in sys.argv[1:]:
            (HERE / name).write_bytes(LOCKS[name].encode())
    return bool(stale) and "--verify" in sys.argv[1:]


if __name__ == "__main__":
    sys.exit(main())
