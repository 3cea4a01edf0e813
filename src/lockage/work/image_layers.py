"""The layers of an image that is written: packed, or those of the image that an environment begins with, as they were received.

On a base there is first what the root has otherwise than the base, then what Python packages bring. Invariant: whoever unpacks all of them
has the root; what no layer of ours says of a file, such as when it was changed, is as the base has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.base.canonical import canonical, canonical_of, decode, plain
from lockage.base.digest import BlobRef, Digest, Hasher
from lockage.base.errors import LockageError
from lockage.environment.image import BASE_DIGEST, BASE_NAME, Layer, changes, layer_gzip, layer_tar
from lockage.environment.image.layer import LAYER_FORMAT
from lockage.environment.image.received import check_archives, received_image
from lockage.environment.root import Entry, metadata_bytes, stacked
from lockage.environment.root.layered import layered
from lockage.ports import BlobCorrupt
from lockage.record.event import Phase
from lockage.stabilize.compressor import COMPRESSOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lockage.environment.base import LockedImage
    from lockage.environment.image.received import ReceivedImage
    from lockage.ports import RootLayer
    from lockage.ports.images import ImageLayout
    from lockage.work.services import Services

__all__ = ["Packing", "base_labels", "base_of", "layers_on_base", "reader"]

T = TypeVar("T", bound=msgspec.Struct)

_CHUNK = 1 << 20
#: Changes whenever what a root has otherwise than its base could come out otherwise.
_CHANGES_FORMAT = 1


class _Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a layer that was packed once."""

    blob: BlobRef
    diff_id: Digest


class _Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a base whose archives were those of its configuration: what its root has otherwise."""

    entries: tuple[Entry, ...]


class Packing:
    """Layers being put into a layout."""

    def __init__(self, services: Services, layout: ImageLayout) -> None:
        self.services = services
        self._layout = layout
        self._count = 0

    def packed(self, entries: Sequence[Entry], read: Callable[[Entry], bytes], comment: str) -> Layer:
        """The one that is there if it is known what these entries come out as, else packed now."""
        self._count += 1
        self.services.tell(Phase(text=f"packing layer {self._count}"))
        key = Digest.of(canonical([LAYER_FORMAT, plain(COMPRESSOR), str(Digest.of(metadata_bytes(entries)))]))
        known = _remembered(self.services, "image-layer", key, _Packed)
        if known is not None and self._layout.has(known.blob):
            return Layer(blob=known.blob, diff_id=known.diff_id, comment=comment)
        plain_bytes = Hasher()

        def hashed() -> Iterator[bytes]:
            for piece in layer_tar(entries, lambda entry: read(entry) if entry.size else b""):
                plain_bytes.update(piece)
                yield piece

        blob = self._layout.put(layer_gzip(hashed()))
        found = _Packed(blob=blob, diff_id=plain_bytes.digest())
        self.services.memo.put("image-layer", key, canonical_of(found))
        return Layer(blob=found.blob, diff_id=found.diff_id, comment=comment)

    def copied(self, layer: Layer) -> Layer:
        """A layer whose bytes the store has, as they are. Raises BlobMissing, BlobCorrupt."""
        if not self._layout.has(layer.blob):
            with self.services.blobs.open(layer.blob) as stream:
                put = self._layout.put(iter(lambda: stream.read(_CHUNK), b""))
            if put != layer.blob:
                raise BlobCorrupt(f"{layer.comment} was changed while it was read", digest=str(layer.blob.digest))
        return layer


def base_of(services: Services, pulled: LockedImage, *, flat: bool) -> ReceivedImage:
    """What the kept documents of an image say of it; ``flat``: but for its layers. Raises InvalidImage, BlobMissing, BlobCorrupt."""
    config = services.blobs.get(pulled.config)
    return received_image(None if flat else services.blobs.get(pulled.manifest), config, str(pulled.base))


def reader(below: Sequence[RootLayer]) -> Callable[[Entry], bytes]:
    """What reads a file of a root from the layer that has it."""
    owners = {entry.path: layer for layer in below for entry in layer.entries}
    return lambda entry: owners[entry.path].read(entry)


def base_labels(pulled: LockedImage, place: str) -> dict[str, str]:
    """Which image another one begins with: by the digest that its layers are found by, and by name if the recipe has it from a registry."""
    named = {BASE_NAME: f"{place}@sha256:{pulled.digest}"} if place else {}
    return {BASE_DIGEST: f"sha256:{pulled.manifest.digest}", **named}


def layers_on_base(
    packing: Packing, pulled: LockedImage, base: ReceivedImage, below: Sequence[RootLayer], wheels: str, *, flat: bool
) -> list[Layer]:
    """The base's layers, and above them what the root's layers ``below`` have otherwise; ``flat``: one layer of all that in their place.

    Raises InvalidImage, and what reading raises.
    """
    lowest, *above = below
    if flat:
        layers = [packing.packed(lowest.entries, lowest.read, str(pulled.base))]
    else:
        changed = _changed(packing.services, pulled, base, lowest)
        layers = [packing.copied(layer) for layer in base.layers]
        if changed:
            layers.append(packing.packed(changed, lowest.read, "what steps need besides"))
    present, read = lowest.entries, reader(below)
    for layer in above:
        now = stacked((("", present), (layer.place, [_apart(entry, layer) for entry in layer.entries])))
        layers.append(packing.packed(changes(present, now), read, wheels))
        present = now
    return layers


def _apart(entry: Entry, layer: RootLayer) -> Entry:
    """The entry of a layer, which is no other name of a file of another layer, whatever that one calls its source."""
    return msgspec.structs.replace(entry, source=f"{layer.place}:{entry.source}") if entry.source else entry


def _changed(services: Services, pulled: LockedImage, base: ReceivedImage, lowest: RootLayer) -> Sequence[Entry]:
    """What the root has otherwise than whoever unpacks the base. That is told by reading all of the base, once in a store."""
    about = [str(pulled.config), *(str(layer) for layer in pulled.layers), str(Digest.of(metadata_bytes(lowest.entries)))]
    key = Digest.of(canonical([_CHANGES_FORMAT, *about]))
    known = _remembered(services, "image-changes", key, _Changed)
    if known is not None:
        return known.entries
    services.tell(Phase(text=f"looking at what the root has otherwise than {pulled.base}"))
    received = services.roots.received(pulled)
    check_archives(base, received)
    found = changes(layered(layer.members for layer in received).values(), lowest.entries)
    services.memo.put("image-changes", key, canonical_of(_Changed(entries=tuple(found))))
    return found


def _remembered(services: Services, kind: str, key: Digest, form: type[T]) -> T | None:
    kept = services.memo.get(kind, key)
    try:
        return None if kept is None else decode(kept, form)
    except LockageError:  # another lockage wrote it; a memo counts for nothing
        return None
