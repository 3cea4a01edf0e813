"""The documents of an image: configuration, manifest and index (OCI image-spec 1.1.1, config.md, manifest.md, image-index.md).

Invariant: they are functions of the layers and of what was asked for; nothing of them says when or where they were made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.instant import ZIP_FLOOR

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Descriptor", "ImageConfig", "InvalidLayout", "Layer", "attached_documents", "image_documents", "index_bytes", "index_with"]

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_NAME = "org.opencontainers.image.ref.name"
_TITLE = "org.opencontainers.image.title"


#: The configuration of what has none (manifest.md, "Guidance for an Empty Descriptor").
EMPTY = b"{}"


class InvalidLayout(Usage):
    """What is to hold an image is an image layout that cannot be read, or of a version that is not known."""

    code = "invalid-image-layout"
    hint = "Name another folder, or remove the damaged layout."


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: ``blob`` is what is kept, ``diff_id`` the digest of the archive in it, ``comment`` says what it is."""

    blob: BlobRef
    diff_id: Digest
    comment: str


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a container of the image is started with; ``variables`` and ``labels`` are sorted when they are written."""

    architecture: str
    variables: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = ""
    labels: dict[str, str] = {}


class _Platform(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    os: str


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A reference to a blob of a layout (descriptor.md)."""

    media_type: str
    digest: str
    size: int
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    platform: _Platform | None = None

    @property
    def ref(self) -> BlobRef:
        return BlobRef(Digest(self.digest.removeprefix("sha256:")), self.size)

    @property
    def tag(self) -> str | None:
        return (self.annotations or {}).get(_NAME)


class _Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = _INDEX
    manifests: tuple[Descriptor, ...] = ()


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = _MANIFEST
    artifact_type: str | msgspec.UnsetType = msgspec.UNSET
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | msgspec.UnsetType = msgspec.UNSET


class _Started(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """The ``config`` object of a configuration."""

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    labels: dict[str, str] = {}


class _History(msgspec.Struct, frozen=True, kw_only=True):
    comment: str
    created: str = str(ZIP_FLOOR)


class _RootFs(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["layers"] = "layers"
    diff_ids: tuple[str, ...]


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    os: Literal["linux"] = "linux"
    created: str = str(ZIP_FLOOR)
    config: _Started
    rootfs: _RootFs
    history: tuple[_History, ...]


def image_documents(config: ImageConfig, layers: Sequence[Layer], tag: str | None) -> tuple[bytes, bytes, Descriptor]:
    """The configuration's and the manifest's bytes, and the manifest's descriptor with its tag."""
    started = _Started(
        env=tuple(sorted(f"{name}={value}" for name, value in config.variables.items())),
        entrypoint=config.entrypoint,
        cmd=config.command,
        user=config.user,
        working_dir=config.working_directory,
        labels=config.labels,
    )
    document = canonical_of(
        _Document(
            architecture=config.architecture,
            config=started,
            rootfs=_RootFs(diff_ids=tuple(_digest(layer.diff_id) for layer in layers)),
            history=tuple(_History(comment=layer.comment) for layer in layers),
        )
    )
    manifest = canonical_of(
        _Manifest(config=_descriptor(_CONFIG, BlobRef.of(document)), layers=tuple(_descriptor(_LAYER, layer.blob) for layer in layers))
    )
    found = _descriptor(_MANIFEST, BlobRef.of(manifest))
    platform = _Platform(architecture=config.architecture, os="linux")
    return document, manifest, msgspec.structs.replace(found, annotations={_NAME: tag} if tag is not None else None, platform=platform)


def attached_documents(subject: Descriptor, media_type: str, attached: BlobRef, title: str) -> tuple[bytes, bytes, Descriptor]:
    """The configuration's and the manifest's bytes for a blob that says something about an image, and the manifest's descriptor.

    See manifest.md, "Guidelines for Artifact Usage": tools that know referrers find it by the image it is about.
    """
    about = Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
    layer = msgspec.structs.replace(_descriptor(media_type, attached), annotations={_TITLE: title})
    manifest = canonical_of(
        _Manifest(artifact_type=media_type, config=_descriptor(_EMPTY, BlobRef.of(EMPTY)), layers=(layer,), subject=about)
    )
    found = msgspec.structs.replace(_descriptor(_MANIFEST, BlobRef.of(manifest)), artifact_type=media_type)
    return EMPTY, manifest, msgspec.structs.replace(found, annotations={_TITLE: title})


def _digest(digest: Digest) -> str:
    return f"sha256:{digest}"


def _descriptor(media_type: str, blob: BlobRef) -> Descriptor:
    return Descriptor(media_type=media_type, digest=_digest(blob.digest), size=blob.size)


def index_bytes(manifests: Sequence[Descriptor]) -> bytes:
    """The bytes of ``index.json``."""
    return canonical_of(_Index(manifests=tuple(manifests)))


def index_with(present: bytes | None, added: Descriptor) -> bytes:
    """The index of a layout with an image added: it takes the place of one of the same tag, and of the same image without a tag.

    Raises :class:`InvalidLayout`.
    """
    others: tuple[Descriptor, ...] = ()
    if present is not None:
        try:
            others = msgspec.json.decode(present, type=_Index).manifests
        except msgspec.DecodeError as error:
            raise InvalidLayout(f"index.json cannot be read: {error}", file="index.json") from error
    kept = [one for one in others if (one.tag is None or one.tag != added.tag) and (one.digest, one.tag) != (added.digest, added.tag)]
    return index_bytes([*kept, added])
