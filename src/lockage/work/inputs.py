"""Fetch inputs for execution: what a recipe names is fetched if the store has it not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.record.event import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.digest import BlobRef, Digest
    from lockage.recipe.model import FetchInput
    from lockage.work.services import Services

__all__ = ["fetch_inputs"]

#: More names than this say less than their number.
_FEW = 5


def fetch_inputs(services: Services, inputs: Iterable[FetchInput]) -> dict[Digest, BlobRef]:
    """Fetch inputs by sha256, kept in the store; asks no server if all are. Raises InputVanished, InputChanged."""
    wanted = {found.sha256: found for found in inputs}
    kept = {digest: services.blobs.locate(digest) for digest in wanted}
    missing = [wanted[digest] for digest, ref in kept.items() if ref is None]
    if missing:
        names = ", ".join(found.name for found in missing)
        services.tell(Phase(text=f"fetching {names}" if len(missing) <= _FEW else f"fetching {len(missing)} files"))
        kept |= dict(zip([found.sha256 for found in missing], services.downloads.fetch(missing), strict=True))
    return {digest: ref for digest, ref in kept.items() if ref is not None}
