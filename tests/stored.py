"""What a store keeps, wherever it lies in it: found, and altered behind its back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.action_cache_local import LocalActionCache, _entry
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef
from lockage.packs import load, pack_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.packs import Pack, Place
    from lockage.record.result import ActionResult

__all__ = ["Together", "alter", "alter_in", "lose", "names_in", "places_of", "put_apart"]


class Together(LocalBlobs):
    """Blobs that are all put as those of steps are: small ones into packs."""

    def put(self, data: bytes) -> BlobRef:
        return self.put_many([data])[0]

    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        found = [(BlobRef.of(data), data) for data in items]
        self.put_messages(dict(found))
        return [ref for ref, _ in found]


def places_of(blobs: Path, digest: str) -> list[Place | Path]:
    """Where a blob lies in the folder of the blobs: its own file, and packs."""
    own = blobs / "sha256" / digest[:2] / digest[2:]
    found: list[Place | Path] = [own] if own.is_file() else []
    for path in sorted((blobs / "packs").glob("*")):
        pack = _loaded(path)
        place = None if pack is None else pack.place(digest)
        if pack is not None and place is not None:
            found.append((pack, *place))
    return found


def names_in(blobs: Path) -> set[str]:
    """Everything that lies there, whatever lies twice."""
    own = {path.parent.name + path.name for path in blobs.glob("sha256/*/*")}
    packs = filter(None, map(_loaded, (blobs / "packs").glob("*")))
    return own.union(*(pack.table.texts() for pack in packs))


def _loaded(path: Path) -> Pack | None:
    """A pack, unless its table is damaged."""
    with suppress(ValueError):
        return load(path) if pack_name(path.name) else None
    return None


def alter_in(place: Place, data: bytes) -> bytes:
    """Put other bytes where something lies in a pack, as many of them as there is room for: those that are there now."""
    pack, offset, size = place
    path = Path(pack.path)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        now, new = file.read(size), data[:size].ljust(size, b"\0")
        file.seek(offset)
        new = new if new != now else bytes(255 - byte for byte in now)
        file.write(new)
    return new


def alter(blobs: Path, digest: str, data: bytes) -> bytes:
    """Put other bytes wherever a blob lies: those that are there now."""
    found = places_of(blobs, digest)
    assert found, f"{digest} is nowhere"
    for place in found:
        if isinstance(place, Path):
            place.chmod(0o644)
            place.write_bytes(data)
        else:
            data = alter_in(place, data)
    return data


def lose(blobs: Path, digest: str) -> None:
    """Delete the files in which a blob lies, whatever else is in them."""
    found = places_of(blobs, digest)
    assert found, f"{digest} is nowhere"
    for place in found:
        (place if isinstance(place, Path) else Path(place[0].path)).unlink()


def put_apart(cache: LocalActionCache, action: BlobRef, result: ActionResult) -> None:
    """Keep a result as a store of format 1 does."""
    path = Path(cache._place(action))
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(_entry(action, canonical_of(result)))
