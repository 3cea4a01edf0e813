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
from lockage.environment.image.settings import BASE_DIGEST, BASE_NAME, Settings, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.environment.image.settings import ImageConfig

__all__ = ["Descriptor", "History", "InvalidLayout", "Layer", "attached_documents", "image_documents", "index_bytes", "index_with"]

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
    """One layer: ``blob`` is what is kept, ``diff_id`` the digest of the archive in it, ``comment`` says what it is.

    One that is ``of_base`` is as whoever made that image packed it, and has the annotations that it had.
    """

    blob: BlobRef
    diff_id: Digest
    comment: str
    media_type: str = _LAYER
    annotations: dict[str, str] = {}
    of_base: bool = False


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a configuration says of how a layer came about (config.md, "history")."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False

    @classmethod
    def of(cls, comment: str) -> History:
        """That of a layer which says nothing but what it is."""
        return cls(created=str(ZIP_FLOOR), comment=comment)


class _Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    architecture: str
    os: str
    variant: str = ""


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
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class _RootFs(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["layers"] = "layers"
    diff_ids: tuple[str, ...]


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    variant: str | msgspec.UnsetType = msgspec.UNSET
    os: Literal["linux"] = "linux"
    created: str = str(ZIP_FLOOR)
    config: Settings
    rootfs: _RootFs
    history: tuple[History, ...]


def image_documents(
    config: ImageConfig, layers: Sequence[Layer], tag: str | None, history: Sequence[History] = ()
) -> tuple[bytes, bytes, Descriptor]:
    """The configuration's and the manifest's bytes, and the manifest's descriptor with its tag.

    ``history`` is that of the layers that are a base's. What labels say of the base the manifest's annotations say as well.
    """
    document = canonical_of(
        _Document(
            architecture=config.architecture,
            variant=config.variant or msgspec.UNSET,
            config=settings_of(config),
            rootfs=_RootFs(diff_ids=tuple(_digest(layer.diff_id) for layer in layers)),
            history=(*history, *(History.of(layer.comment) for layer in layers if not layer.of_base)),
        )
    )
    annotations = {name: config.labels[name] for name in (BASE_DIGEST, BASE_NAME) if name in config.labels}
    manifest = canonical_of(
        _Manifest(
            config=_descriptor(_CONFIG, BlobRef.of(document)),
            layers=tuple(_layer_descriptor(layer) for layer in layers),
            annotations=annotations or msgspec.UNSET,
        )
    )
    found = _descriptor(_MANIFEST, BlobRef.of(manifest))
    platform = _Platform(architecture=config.architecture, os="linux", variant=config.variant)
    return document, manifest, msgspec.structs.replace(found, annotations={_NAME: tag} if tag is not None else None, platform=platform)


def _layer_descriptor(layer: Layer) -> Descriptor:
    return msgspec.structs.replace(_descriptor(layer.media_type, layer.blob), annotations=layer.annotations or None)


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
