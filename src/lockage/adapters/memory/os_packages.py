"""A package index whose stanzas and packages a test puts in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef
from lockage.environment.debian import chosen_lines, find_files
from lockage.ports import MirrorUnconfigured, PackageChanged, PackageVanished

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.environment.base import OsBase
    from lockage.environment.debian import PackagedFile, Release, Stanza
    from lockage.environment.lock import LockedPackage
    from lockage.ports import Blobs

__all__ = ["MemoryOsPackages"]


class MemoryOsPackages:
    """Implements :class:`lockage.ports.OsPackages`; a test fills ``suites``, ``pool`` (bytes by path) and ``contents``.

    ``components`` are those of suites beside main.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.suites: dict[tuple[str, str], tuple[Release, list[Stanza]]] = {}
        self.components: dict[tuple[str, str, str], list[Stanza]] = {}
        self.pool: dict[str, bytes] = {}
        self.contents: dict[str, bytes] = {}

    def index(
        self,
        base: OsBase,
        architecture: str,
        *,
        components: Sequence[str] = ("main",),
        stale: bool = False,
        keyring: bytes | None = None,  # noqa: ARG002 - nothing here is signed
    ) -> tuple[Release, Sequence[Stanza]]:
        found = self.suites.get((base.suite, architecture))
        if found is None:
            raise MirrorUnconfigured(f"no suite {base.suite} for {architecture}", suite=base.suite, architecture=architecture)
        release, stanzas = found
        stanzas = list(stanzas) if "main" in components else []
        for component in components:
            if component != "main":
                more = self.components.get((base.suite, architecture, component))
                if more is None:
                    raise MirrorUnconfigured(f"{base.suite} has no packages for {architecture} in {component}", suite=base.suite)
                stanzas += more
        return msgspec.structs.replace(release, stale=release.stale and stale), stanzas

    def fetch(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> None:  # noqa: ARG002 - one pool serves every suite
        with self.arriving(base, packages) as arriving:
            for _ in arriving:
                pass

    @contextmanager
    def arriving(self, base: OsBase, packages: Sequence[LockedPackage], *, as_of: str | None = None) -> Iterator[Iterator[LockedPackage]]:  # noqa: ARG002 - one pool serves every suite
        yield self._each(packages)

    def _each(self, packages: Sequence[LockedPackage]) -> Iterator[LockedPackage]:
        for package in packages:
            if self._blobs.has(package.ref):
                yield package
                continue
            data = self.pool.get(package.path)
            if data is None:
                raise PackageVanished(f"{package.name} {package.version} is gone", package=package.name, expected=package.sha256)
            found = BlobRef.of(data)
            if found != package.ref:
                raise PackageChanged(
                    f"{package.name} {package.version} should be {package.ref}, is {found}",
                    package=package.name,
                    expected=str(package.ref),
                    found=str(found),
                )
            self._blobs.put(data)
            yield package

    def files(self, base: OsBase, architecture: str, endings: Sequence[str]) -> Sequence[PackagedFile]:
        if not any(suite == base.suite and architecture in (known, "all") for suite, known in self.suites):
            raise MirrorUnconfigured(f"no suite {base.suite} for {architecture}", suite=base.suite, architecture=architecture)
        return find_files(chosen_lines(self.contents.get(architecture, b"")), endings)
