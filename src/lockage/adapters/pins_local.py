"""Pinned trust roots as files beside the keys: what a store says of itself is believed only if it agrees with these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.durable import ensure_folder, write_file
from lockage.ports import KeyUnusable, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LocalPins"]


class LocalPins:
    """Implements :class:`lockage.ports.Pins`: ``ORIGIN.json`` in one folder.

    In the names the slashes of an origin are underscores; what is neither a letter, a digit, a dot nor a hyphen is ``=`` and hex.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, origin: str) -> Path:
        name = "".join(_escaped(character) for character in origin)
        return self._folder / f"{name}.json"

    def trust_root(self, origin: str) -> bytes | None:
        try:
            return self._path(origin).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyUnusable(f"the pinned trust root {self._path(origin)} cannot be read: {error.strerror}") from error

    def pin(self, origin: str, trust_root: bytes) -> None:
        try:
            ensure_folder(self._folder)
            # Who was killed while the first root of a store was pinned has pinned an origin that nobody will pin again.
            write_file(self._path(origin), trust_root, mode=0o600, tidy=True)
        except (OSError, StoreUnwritable) as error:
            raise KeyUnusable(f"the trust root cannot be pinned in {self._folder}: {error}") from error


def _escaped(character: str) -> str:
    if character == "/":
        return "_"
    if character.isascii() and (character.isalnum() or character in ".-"):
        return character
    return f"={character.encode(errors='replace').hex()}="
