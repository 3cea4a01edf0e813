"""The image that an environment begins with: where it is had from, and its parts brought into the store.

A lock says what an image is made of, not where it is; the recipe does. What a recipe said is remembered, so that whoever has only the
lock at hand can still fetch. A memo is trusted for nothing: whatever comes is verified by its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical, decode
from lockage.base.digest import Digest
from lockage.base.errors import Usage
from lockage.environment.base import LAYOUT, ImageBase, LockedImage, tagged_place
from lockage.environment.image.reading import DOCUMENT_LIMIT, chosen_manifest, image_facts, is_index, manifest_parts
from lockage.ports import ImageVanished
from lockage.record.event import Phase
from lockage.record.locator import parse_remote, split_subdirectory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from lockage.base.digest import BlobRef
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["fetch_image", "image_missing", "image_of_tag", "pull_image", "remember_places"]

_MEMO = "image-place"


def remember_places(services: Services, recipe: Recipe, locator: str) -> None:
    """Note where the images of a recipe are had from; the layouts that it names by a path lie beside the source at ``locator``."""
    for declaration in recipe.environments.values():
        image = declaration.image
        if isinstance(image, ImageBase):
            place = _placed(image.place, locator)
            if _place(services, image.digest) != place:
                services.memo.put(_MEMO, image.digest, canonical(place))


def _placed(place: str, locator: str) -> str:
    """The place as whoever runs lockage would name it. Of a source that is elsewhere, or is an archive, paths count from here."""
    path = place.removeprefix(LAYOUT)
    if not place.startswith(LAYOUT) or path.startswith("/"):
        return place
    folder, _ = split_subdirectory(locator)
    if parse_remote(folder) is not None or folder.endswith((".tar.gz", ".zip")):
        folder = "."
    return f"{LAYOUT}{folder.partition('@')[0] or '.'}/{path}"


def _place(services: Services, image: Digest) -> str | None:
    kept = services.memo.get(_MEMO, image)
    try:
        return None if kept is None else decode(kept, str)
    except InvalidDocument:
        return None


def image_missing(services: Services, image: LockedImage) -> list[BlobRef]:
    """Those parts of an image that are not kept."""
    return [ref for _, ref in image.parts if not services.blobs.has(ref)]


def fetch_image(services: Services, image: LockedImage) -> None:
    """Fetch what the store lacks of an image. Raises ImageVanished, ImageChanged, ServiceUnreachable."""
    missing = image_missing(services, image)
    if not missing:
        return
    place = _place(services, image.digest)
    if place is None:
        raise ImageVanished(
            f"{len(missing)} parts of the image {image.name} are not kept, and only a recipe says where it is had from",
            hint="Run `lockage env fetch` where the recipe is.",
            image=f"sha256:{image.digest}",
        )
    _fetch(services, place, image.name, missing)


def _fetch(services: Services, place: str, name: str, parts: Iterable[BlobRef]) -> None:
    missing = list(dict.fromkeys(ref for ref in parts if not services.blobs.has(ref)))
    if missing:
        size = sum(ref.size for ref in missing)
        services.tell(Phase(text=f"fetching {len(missing)} parts of the image {name}", total=size))
        services.base_images.fetch(place, missing)


def image_of_tag(services: Services, text: str) -> ImageBase:
    """The image that ``REGISTRY/NAME:TAG`` or ``oci:PATH:TAG`` names now, by its digest. Raises Usage, and what fetching raises."""
    try:
        place, tag = tagged_place(text)
    except ValueError as error:
        raise Usage(str(error), hint="Name an image as REGISTRY/NAME:TAG, or a layout as oci:PATH or oci:PATH:TAG.") from error
    data = services.base_images.tagged(place, tag, limit=DOCUMENT_LIMIT)
    is_index(data)  # refuses what no environment could begin with
    return ImageBase(digest=Digest.of(data), place=place)


def pull_image(services: Services, declared: ImageBase, architecture: Literal["amd64", "arm64"]) -> LockedImage:
    """All of an image for an architecture, kept now, as a lock has it but for its variables, of which all are told, and its Python.

    Raises InvalidImage, UnsupportedImage, and what fetching raises.
    """
    place = _place(services, declared.digest) or declared.place
    top = _document(services, place, declared.digest)
    indexed = is_index(services.blobs.get(top))
    manifest = top
    if indexed:
        manifest = chosen_manifest(services.blobs.get(top), architecture)
        if not services.blobs.has(manifest):
            manifest = _document(services, place, manifest.digest)
    config, layers = manifest_parts(services.blobs.get(manifest))
    _fetch(services, place, declared.name, (config, *layers))
    facts = image_facts(services.blobs.get(config), architecture)
    return LockedImage(
        name=declared.name,
        index=top if indexed else msgspec.UNSET,
        manifest=manifest,
        config=config,
        layers=layers,
        variables=dict(sorted(facts.variables.items())),
    )


def _document(services: Services, place: str, digest: Digest) -> BlobRef:
    """A manifest or index by its digest alone, kept."""
    kept = services.blobs.locate(digest)
    return kept if kept is not None else services.blobs.put(services.base_images.document(place, digest, limit=DOCUMENT_LIMIT))
