"""The adapters that fetch packages and files: made only where something is fetched, from what settings of many tools say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.wiring.settings import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockage import ports
    from lockage.adapters.debian_mirror.discovery import Mirror
    from lockage.ports.images import BaseImages

__all__ = ["base_images", "downloads", "os_packages", "python_index"]

#: Where else certificates of authorities may be named, as other tools read them.
_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def os_packages(
    blobs: ports.Blobs,
    memo: ports.Memo,
    clock: ports.Clock,
    cache: Path,
    *,
    environ: Mapping[str, str],
    home: Path,
    moved: Callable[[int], None],
) -> ports.OsPackages:
    """Debian's mirrors, as apt's configuration and the settings name them; ``home`` is where other tools keep this user's settings."""
    from lockage.adapters.debian_mirror import DebianMirror
    from lockage.adapters.debian_mirror.discovery import (
        discover_ca,
        discover_mirrors,
        discover_others,
        discover_proxies,
        discover_snapshots,
    )
    from lockage.adapters.openpgp import Keyring, debian_keyring
    from lockage.transfer.credentials import discover_logins

    apt = Path("/etc/apt")
    stale = environ.get("LOCKAGE_ALLOW_STALE_SUITES", "")

    def mirrors(distribution: str) -> tuple[Mirror, ...]:
        if distribution == "debian":
            return discover_mirrors(apt, environ.get("LOCKAGE_DEBIAN_MIRROR"))
        return discover_others(apt, environ.get("LOCKAGE_MIRRORS"), distribution)

    return DebianMirror(
        blobs,
        memo,
        clock,
        cache,
        mirrors=mirrors,
        verify=debian_keyring().verify,
        verify_alone=Keyring().verify,
        allow_stale=frozenset(suite.strip() for suite in stale.split(",") if suite.strip()),
        proxies=discover_proxies(apt, environ),
        ca_file=discover_ca(apt, environ),
        snapshots=lambda: discover_snapshots(environ.get("LOCKAGE_DEBIAN_SNAPSHOT")),
        logins=discover_logins(apt, environ, home),
        moved=moved,
    )


def python_index(
    blobs: ports.Blobs, memo: ports.Memo, cache: Path, *, environ: Mapping[str, str], home: Path, moved: Callable[[int], None]
) -> ports.PythonIndex:
    """The index that pip's and uv's settings name, asked by way of uv."""
    from lockage.adapters.python_index import UvIndex, discover_index

    return UvIndex(
        blobs,
        memo,
        uv=_beside("uv", environ),
        settings=discover_index(environ, home, prefix=Path(sys.prefix)),
        cache=cache,
        interpreter=Path(sys.executable),
        moved=moved,
    )


def downloads(blobs: ports.Blobs, cache: Path, *, environ: Mapping[str, str], home: Callable[[], Path]) -> ports.Downloads:
    """Fetch inputs over HTTP; ``home`` is asked for a netrc file if no setting names one."""
    from lockage.adapters.downloads_http import HttpDownloads, proxies_of

    ca_file = next((found for name in _CA_FILES if (found := environ.get(name))), None)
    netrc = environ.get("NETRC")
    return HttpDownloads(
        blobs,
        cache,
        proxies=proxies_of(environ),
        ca_file=Path(ca_file) if ca_file else None,
        credentials=Path(netrc) if netrc else home() / ".netrc",
    )


def base_images(blobs: ports.Blobs, cache: Path, *, environ: Mapping[str, str], home: Path, moved: Callable[[int], None]) -> BaseImages:
    """Images from registries and layouts; ``home`` is where docker and others keep what this user logged in with."""
    from lockage.adapters.image_router import ImageRouter

    def registries() -> BaseImages:
        from lockage.adapters.downloads_http import proxies_of
        from lockage.adapters.image_registry import RegistryImages, discover_credentials, discover_registries
        from lockage.transfer.credentials import discover_logins

        try:
            addresses = discover_registries(environ.get("LOCKAGE_REGISTRIES"))
        except ValueError as error:
            raise InvalidSetting(f"LOCKAGE_REGISTRIES: {error}") from error
        ca_file = next((found for name in _CA_FILES if (found := environ.get(name))), None)
        return RegistryImages(
            blobs,
            cache,
            addresses=addresses,
            login=discover_credentials(environ, home, discover_logins(Path("/nonexistent"), environ, home)),
            proxies=proxies_of(environ),
            ca_file=Path(ca_file) if ca_file else None,
            moved=moved,
        )

    def layouts() -> BaseImages:
        from lockage.adapters.image_folder import FolderImages

        return FolderImages(blobs, Path.cwd())

    return ImageRouter(registries=registries, layouts=layouts)


def _beside(program: str, environ: Mapping[str, str]) -> Path:
    """A program of a package that was installed with lockage, else one of the PATH."""
    import shutil

    own = Path(sys.executable).parent / program
    if own.exists():
        return own
    found = shutil.which(program, path=environ.get("PATH"))
    if found is None:
        raise InvalidSetting(f"the program {program} is not installed beside {sys.executable}", hint=f"Run `pip install {program}`.")
    return Path(found)
