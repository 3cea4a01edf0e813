"""What an environment is made of as a bill of materials (CycloneDX 1.6, ECMA-424; package URLs: purl-spec, types deb and pypi).

Invariants: a function of the lock's environment and of what is installed on it; no time, no host, and a serial number that is
derived from the rest (RFC 9562, version 8), so that the same environment has the same bytes everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.environment.base import LockedImage
    from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedSdist, LockedWheel

__all__ = ["SBOM_TYPE", "Installed", "sbom"]

#: The media type of the document (IANA registry; CycloneDX specification, "Media types").
SBOM_TYPE = "application/vnd.cyclonedx+json"


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was put on top of the environment: an artifact of a release, by its published name."""

    project: str
    version: str
    name: str
    sha256: Digest


class _Hash(msgspec.Struct, frozen=True, kw_only=True):
    alg: Literal["SHA-256"] = "SHA-256"
    content: str


class _Component(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"bom_ref": "bom-ref", "kind": "type"}):
    kind: Literal["container", "library", "application", "file", "operating-system"]
    bom_ref: str
    name: str
    version: str = ""
    purl: str = ""
    hashes: tuple[_Hash, ...] = ()


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    component: _Component


class _Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    bom_format: Literal["CycloneDX"] = "CycloneDX"
    spec_version: Literal["1.6"] = "1.6"
    serial_number: str = ""
    version: int = 1
    metadata: _Metadata
    components: tuple[_Component, ...]


def sbom(name: str, environment: LockedEnvironment, installed: Sequence[Installed] = ()) -> bytes:
    """The document's bytes (RFC 8785), for the environment called ``name`` with what is ``installed`` on it."""
    components = sorted({_key(one): one for one in _components(environment, installed)}.values(), key=_key)
    root = environment.root
    whole = _Component(
        kind="container",
        bom_ref=f"root:{root.tree.digest}",
        name=name,
        version=str(root.metadata),
        hashes=(_Hash(content=str(root.tree.digest)),),
    )
    document = _Document(metadata=_Metadata(component=whole), components=tuple(components))
    return canonical_of(msgspec.structs.replace(document, serial_number=_serial(canonical_of(document))))


def _key(component: _Component) -> str:
    return component.bom_ref


def _components(environment: LockedEnvironment, installed: Sequence[Installed]) -> Iterable[_Component]:
    if environment.pulled is not None:
        yield _image(environment.pulled)
    else:
        os = environment.archive
        yield _Component(kind="operating-system", bom_ref=f"os:{os}", name=os.distribution, version=os.suite)
        for package in environment.packages:
            yield _package(package, os.distribution, os.suite)
    for found in (environment.python, environment.sdists):  # of what is built for a root the sdist is pinned, and named
        for item in found:
            yield _python(item)
    for file in installed:
        digest = _Hash(content=str(file.sha256))
        yield _Component(kind="file", bom_ref=f"file:{file.name}", name=file.name, version=file.version, hashes=(digest,))


def _image(image: LockedImage) -> _Component:
    """The image as one component, by the digest of its manifest (purl-spec, type oci); what is in it is its maker's to say."""
    digest = image.manifest.digest
    purl = f"pkg:oci/{_quoted(image.name.lower())}@sha256%3A{digest}"
    return _Component(
        kind="container", bom_ref=purl, name=image.name, version=f"sha256:{digest}", purl=purl, hashes=(_Hash(content=str(digest)),)
    )


def _package(package: LockedPackage, distribution: str, suite: str) -> _Component:
    where = f"arch={package.architecture}&distro={distribution}-{suite}"
    purl = f"pkg:deb/{distribution}/{_quoted(package.name)}@{_quoted(package.version)}?{where}"
    return _library(package.name, package.version, purl, package.sha256)


def _python(item: LockedWheel | LockedSdist) -> _Component:
    return _library(item.name, item.version, f"pkg:pypi/{item.name}@{_quoted(item.version)}", item.sha256)


def _library(name: str, version: str, purl: str, sha256: Digest) -> _Component:
    return _Component(kind="library", bom_ref=purl, name=name, version=version, purl=purl, hashes=(_Hash(content=str(sha256)),))


def _quoted(text: str) -> str:
    """Percent-encoded but for letters, digits and ``.-_~`` (purl-spec, "Character encoding")."""
    plain = (
        char if (char.isascii() and char.isalnum()) or char in ".-_~" else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in text
    )
    return "".join(plain)


def _serial(data: bytes) -> str:
    """A UUID of version 8 (RFC 9562 5.8) whose bits are those of the document's sha256."""
    digits = list(Digest.of(data)[:32])
    digits[12] = "8"
    digits[16] = "89ab"[int(digits[16], 16) & 3]
    text = "".join(digits)
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
