"""An image as it was received, to be the lower part of another one: its layers' descriptors, its history and its settings.

Invariant: a layer's digest, size, annotations and bytes stay what they are. Media types of Docker's are named as OCI names the very same
formats, as a manifest of OCI's with others in it is refused by some of its readers.
"""

from __future__ import annotations

import msgspec

from lockage.base.digest import Digest
from lockage.environment.image.document import History, Layer
from lockage.environment.image.errors import InvalidImage
from lockage.environment.image.reading import layer_descriptors, read_document
from lockage.environment.image.settings import Settings
from lockage.environment.root import Member

__all__ = ["ReceivedImage", "ReceivedLayer", "check_archives", "received_image"]

_OCI = "application/vnd.oci.image.layer.v1.tar"
_AS_OCI = {
    "application/vnd.docker.image.rootfs.diff.tar": _OCI,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_OCI}+gzip",
}
_FLAT = "Whoever made the image made it so; others refuse it as well. `--flat` writes the root without the image's layers."


class ReceivedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a layer: the digest of its archive, and its members as whoever unpacks it sees them.

    Their modes have what no root has: setuid and setgid, the type of a device, pipe or socket; a file with capabilities counts as setuid.
    """

    diff_id: Digest
    members: tuple[Member, ...]


class ReceivedImage(msgspec.Struct, frozen=True, kw_only=True):
    """What another image takes over of this one; the layers' ``diff_id`` are what its configuration says."""

    layers: tuple[Layer, ...]
    history: tuple[History, ...]
    settings: Settings
    variant: str = ""


class _RootFs(msgspec.Struct, frozen=True, kw_only=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    config: Settings | None = None
    history: tuple[History, ...] | None = None
    rootfs: _RootFs = _RootFs()
    variant: str = ""


def received_image(manifest: bytes | None, config: bytes, name: str) -> ReceivedImage:
    """What the documents of an image say; ``name`` is what it is called in texts. Without its manifest nothing of layers is told.

    Without a history, or with one of another number of layers, one is made up that says no more than that the layers are the image's.
    Raises :class:`InvalidImage`, UnsupportedImage.
    """
    found = read_document(config, _Config, "configuration")
    if manifest is None:
        return ReceivedImage(layers=(), history=(), settings=found.config or Settings(), variant=found.variant)
    layers = layer_descriptors(manifest)
    said = found.rootfs.diff_ids
    if len(said) != len(layers):
        raise InvalidImage(f"the image has {len(layers)} layers, and its configuration has the digests of {len(said)}", hint=_FLAT)
    try:
        digests = [Digest(text.removeprefix("sha256:")) for text in said]
    except ValueError as error:
        raise InvalidImage("the image's configuration names a layer by what is no sha256", hint=_FLAT) from error
    comments = [f"{name}, layer {number}" for number in range(1, len(layers) + 1)]
    history = found.history or ()
    if sum(not one.empty_layer for one in history) != len(layers):
        history = tuple(History.of(comment) for comment in comments)
    return ReceivedImage(
        layers=tuple(
            Layer(
                blob=layer.ref,
                diff_id=diff_id,
                comment=comment,
                media_type=_AS_OCI.get(layer.media_type, layer.media_type),
                annotations=layer.annotations or {},
                of_base=True,
            )
            for layer, diff_id, comment in zip(layers, digests, comments, strict=True)
        ),
        history=history,
        settings=found.config or Settings(),
        variant=found.variant,
    )


def check_archives(image: ReceivedImage, found: tuple[ReceivedLayer, ...]) -> None:
    """Raises :class:`InvalidImage` if a layer's archive is another one than the image's configuration says."""
    for number, (layer, received) in enumerate(zip(image.layers, found, strict=True), 1):
        if layer.diff_id != received.diff_id:
            raise InvalidImage(
                f"the archive in layer {number} of the image is not the one that its configuration names",
                hint=_FLAT,
                expected=f"sha256:{layer.diff_id}",
                found=f"sha256:{received.diff_id}",
            )
