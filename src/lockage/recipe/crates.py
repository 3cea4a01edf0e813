"""Cargo.lock → the crates that it pins, by name, version and sha256; and what cargo must be told to find them without a network.

Only crates of the default registry are read: others have no place to be fetched from, and those from repositories no checksum.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical
from lockage.base.digest import Digest
from lockage.base.errors import Usage
from lockage.base.name import FetchName
from lockage.base.path import RelPath
from lockage.recipe.model import FetchInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIG", "CONFIG_PATH", "VENDOR", "Crate", "InvalidCargoLock", "as_fetch_input", "checksum_file", "read_crates"]

#: Where crates lie, and what tells cargo so (its source replacement, with a directory source).
VENDOR = RelPath(".cargo/vendor")
CONFIG_PATH = RelPath(".cargo/config.toml")
CONFIG = f'[source.crates-io]\nreplace-with = "vendored-sources"\n\n[source.vendored-sources]\ndirectory = "{VENDOR}"\n'.encode()

#: How the default registry is named in a Cargo.lock, whichever protocol it is asked by.
_DEFAULT = re.compile(r"(?:registry|sparse)\+.*/crates\.io-index")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,127}")
#: No crate of the default registry may be larger than 10 MiB; other registries may allow more.
_LIMIT = 256 << 20


class InvalidCargoLock(Usage):
    """A Cargo.lock is missing or malformed, or names crates that cannot be fetched by checksum."""

    code = "invalid-cargo-lock"
    hint = "Commit a Cargo.lock of crates from the default registry; put others into the source (`cargo vendor`)."


class Crate(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One crate of a registry."""

    name: str
    version: str
    sha256: Digest

    @property
    def title(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def purl(self) -> str:
        """Its package URL, which names no host (purl-spec, type cargo)."""
        return f"pkg:cargo/{self.name}@{self.version.replace('+', '%2B')}"


def read_crates(data: bytes, file: str) -> tuple[Crate, ...]:
    """The crates of a Cargo.lock of any version, sorted; those without a source are the project's own. Raises :class:`InvalidCargoLock`."""
    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidCargoLock(f"{file}: not TOML: {error}", file=file) from error
    packages, metadata = document.get("package", []), document.get("metadata", {})
    if not isinstance(packages, list) or not isinstance(metadata, dict):
        raise InvalidCargoLock(f"{file}: `package` is no array of tables", file=file)
    return tuple(sorted(crate for package in packages if (crate := _crate(package, metadata, file)) is not None))


def _crate(package: object, metadata: Mapping[str, object], file: str) -> Crate | None:
    if not isinstance(package, dict):
        raise InvalidCargoLock(f"{file}: `package` is no array of tables", file=file)
    name, version, source = package.get("name"), package.get("version"), package.get("source")
    if not isinstance(name, str) or not isinstance(version, str) or not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise InvalidCargoLock(f"{file}: not the name and version of a crate: {str(name)[:80]!r} {str(version)[:80]!r}", file=file)
    if source is None:
        return None
    if not isinstance(source, str) or not _DEFAULT.fullmatch(source):
        raise InvalidCargoLock(f"{file}: {name} {version} is not of the default registry: {str(source)[:200]}", file=file, crate=name)
    checksum = package.get("checksum", metadata.get(f"checksum {name} {version} ({source})"))
    try:
        return Crate(name=name, version=version, sha256=Digest(str(checksum)))
    except ValueError as error:
        raise InvalidCargoLock(f"{file}: {name} {version} has no sha256", file=file, crate=name) from error


def as_fetch_input(crate: Crate, registry: str) -> FetchInput:
    """The archive of a crate, from a registry's download address as its config.json has it (cargo's `dl`)."""
    prefix = _prefix(crate.name)
    values = {
        "{crate}": crate.name,
        "{version}": crate.version,
        "{prefix}": prefix,
        "{lowerprefix}": prefix.lower(),
        "{sha256-checksum}": crate.sha256,
    }
    url = registry if any(marker in registry for marker in values) else registry.rstrip("/") + "/{crate}/{version}/download"
    for marker, value in values.items():
        url = url.replace(marker, value.replace("+", "%2B"))
    shown = re.sub(r"[^a-z0-9._-]", "-", crate.title.lower())[:64].strip("._-")
    return FetchInput(name=FetchName(shown), urls=(url,), sha256=crate.sha256, path=VENDOR.joined(f"{crate.title}.crate"), limit=_LIMIT)


def _prefix(name: str) -> str:
    """The folder of a crate in an index: by the length of its name, then its first letters."""
    if len(name) <= 2:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"


def checksum_file(crate: Crate) -> bytes:
    """The .cargo-checksum.json of an unpacked crate: the archive's own checksum, which Cargo.lock pins."""
    return canonical({"files": {}, "package": str(crate.sha256)})
