"""The documents of an image that somebody else made: index, manifest and configuration (OCI image-spec 1.1.1; Docker's schema 2).

Invariant: only what was verified by its digest comes here; what is read is what counts for a root, and the rest is passed over.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.environment.image.errors import InvalidImage, UnsupportedImage

__all__ = [
    "DOCUMENT_LIMIT",
    "ImageFacts",
    "PartDescriptor",
    "chosen_manifest",
    "image_facts",
    "is_index",
    "layer_descriptors",
    "manifest_parts",
    "read_document",
    "tagged_image",
]

T = TypeVar("T")

#: A registry need not take a larger manifest than 4 MiB (distribution-spec 1.1, "Pushing manifests"); configurations stay far below too.
DOCUMENT_LIMIT = 4 << 20

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_LAYERS = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
#: More layers than any builder makes (Docker stops at 127).
_MOST_LAYERS = 1000


class _Platform(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""


class PartDescriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an index or a manifest says of a part of an image."""

    media_type: str = ""
    digest: str
    size: int
    platform: _Platform | None = None
    artifact_type: str = ""
    annotations: dict[str, str] | None = None

    @property
    def ref(self) -> BlobRef:
        kind, _, value = self.digest.partition(":")
        if kind != "sha256":
            raise UnsupportedImage(f"the image names a part of it by {kind[:40]!r}; only sha256 is known", found=self.digest[:200])
        try:
            return BlobRef(Digest(value), self.size)
        except ValueError as error:
            raise InvalidImage(f"the image names a part of it by what is no digest: {self.digest[:200]!r}") from error


class _Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str = ""
    manifests: tuple[PartDescriptor, ...]


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    config: PartDescriptor
    layers: tuple[PartDescriptor, ...]


class _Head(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    manifests: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Started(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    env: tuple[str, ...] | None = None


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str = ""
    os: str = ""
    config: _Started | None = None


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an image's configuration says of it: its architecture as Debian calls it too, and its variables, the last of a name."""

    architecture: str
    variables: dict[str, str]


def is_index(data: bytes) -> bool:
    """Whether a document is an index rather than a manifest. Raises :class:`InvalidImage`, :class:`UnsupportedImage`."""
    head = read_document(data, _Head, "manifest")
    if head.schema_version != 2:
        raise UnsupportedImage(
            f"the image's manifest is of schema {head.schema_version or 'none'}; only OCI images and Docker's schema 2 are read",
            found=str(head.schema_version),
        )
    if head.media_type in _INDEXES:
        return True
    if head.media_type and head.media_type not in _MANIFESTS:
        raise UnsupportedImage(f"the image's manifest is a {head.media_type[:100]}, which is not read", found=head.media_type[:200])
    return not head.media_type and head.manifests is not msgspec.UNSET


def tagged_image(data: bytes, tag: str) -> Digest | None:
    """The image of an image layout's ``index.json`` that has a tag (image-layout.md); without one the only image that there is."""
    images = [one for one in read_document(data, _Index, "index").manifests if not one.artifact_type]
    if tag:
        images = [one for one in images if (one.annotations or {}).get("org.opencontainers.image.ref.name") == tag]
    return images[0].ref.digest if len(images) == 1 else None


def chosen_manifest(data: bytes, architecture: Literal["amd64", "arm64"]) -> BlobRef:
    """The manifest of an index that is for Linux on an architecture: the first. Raises :class:`UnsupportedImage` if there is none."""
    index = read_document(data, _Index, "index")
    for one in index.manifests:
        platform = one.platform or _Platform()
        if (platform.os, platform.architecture) == ("linux", architecture) and one.media_type in ("", *_MANIFESTS):
            return _small(one.ref)
    has = sorted({f"{one.platform.os}/{one.platform.architecture}" for one in index.manifests if one.platform is not None})
    raise UnsupportedImage(
        f"the image is not for linux/{architecture}; it is for {', '.join(has) or 'no platform that it names'}",
        expected=f"linux/{architecture}",
        found=", ".join(has),
    )


def manifest_parts(data: bytes) -> tuple[BlobRef, tuple[BlobRef, ...]]:
    """The configuration and the layers of an image. Raises :class:`InvalidImage`, :class:`UnsupportedImage`."""
    manifest = _image_manifest(data)
    return _small(manifest.config.ref), tuple(layer.ref for layer in manifest.layers)


def layer_descriptors(data: bytes) -> tuple[PartDescriptor, ...]:
    """What a manifest says of the layers, the lowest first. Raises as :func:`manifest_parts` does."""
    return _image_manifest(data).layers


def _image_manifest(data: bytes) -> _Manifest:
    manifest = read_document(data, _Manifest, "manifest")
    if manifest.config.media_type not in _CONFIGS:
        raise UnsupportedImage(
            f"the manifest is not an image's: what it configures is {manifest.config.media_type[:100]!r}", found=manifest.config.media_type
        )
    for layer in manifest.layers:
        if layer.media_type not in _LAYERS:
            why = "is kept elsewhere than the image (a foreign layer)" if _foreign(layer.media_type) else "is in a format that is not read"
            raise UnsupportedImage(f"a layer of the image {why}: {layer.media_type[:100]}", found=layer.media_type[:200])
    if not 1 <= len(manifest.layers) <= _MOST_LAYERS:
        raise UnsupportedImage(f"the image has {len(manifest.layers)} layers; from 1 to {_MOST_LAYERS} are read")
    return manifest


def image_facts(data: bytes, architecture: Literal["amd64", "arm64"]) -> ImageFacts:
    """What a configuration says. Raises :class:`UnsupportedImage` if the image is for another platform."""
    config = read_document(data, _Config, "configuration")
    if (config.os, config.architecture) != ("linux", architecture):
        found = f"{config.os}/{config.architecture}"[:80]
        raise UnsupportedImage(
            f"the image is for {found}, not for linux/{architecture}",
            hint="Name the digest of the image's index, or of its manifest for this architecture; or declare the environment for the "
            "image's platform only (`platforms`).",
            expected=f"linux/{architecture}",
            found=found,
        )
    pairs = (text.partition("=") for text in (config.config.env if config.config is not None else None) or ())
    return ImageFacts(architecture=config.architecture, variables={name: value for name, equals, value in pairs if equals and name})


def _foreign(media_type: str) -> bool:
    return ".foreign." in media_type or ".nondistributable." in media_type


def _small(ref: BlobRef) -> BlobRef:
    if not 0 <= ref.size <= DOCUMENT_LIMIT:
        raise InvalidImage(f"a document of the image is said to have {ref.size} bytes; at most {DOCUMENT_LIMIT} are read", found=str(ref))
    return ref


def read_document(data: bytes, kind: type[T], what: str) -> T:
    """A document as a type that has what counts of it; ``what`` it is called in texts. Raises :class:`InvalidImage`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidImage(f"the image's {what} cannot be read: {error}") from error
