"""The folder of our own that steps are run by way of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.ports import StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["Scratch"]


class Scratch:
    """Within it the folder is there, and what the operating system says becomes :class:`lockage.ports.StoreUnwritable`.

    May be entered again, and from several threads; the folder is made once.
    """

    __slots__ = ("_folder", "_made")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = False

    def __enter__(self) -> None:
        if not self._made:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unwritable(error) from error
            self._made = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreUnwritable:
        return StoreUnwritable(f"cannot write below {self._folder}: {error}", file=str(self._folder))
