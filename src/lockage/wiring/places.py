"""Where a store, its keys and a user's settings are."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.wiring.settings import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from lockage.record.event import Event

__all__ = ["Places"]


def _nothing(event: Event) -> None:
    """Hears of progress and says nothing."""


class Places:
    """The settings of one process, and the places that follow from them. ``tell`` hears of progress."""

    def __init__(self, environ: dict[str, str], *, jobs: int | None = None, tell: Callable[[Event], None] = _nothing) -> None:
        self._environ = environ
        self._jobs = jobs
        self.tell = tell

    @classmethod
    def from_process(cls, *, jobs: int | None = None, tell: Callable[[Event], None] = _nothing) -> Self:
        """The wiring of this process's own environment; ``tell`` hears of progress."""
        return cls(dict(os.environ), jobs=jobs, tell=tell)

    @cached_property
    def user_home(self) -> Path:
        home = self._environ.get("HOME")
        if home:
            return Path(home)
        try:
            return Path.home()
        except RuntimeError as error:  # a user that the machine has no entry for, as in a container started with --user
            raise InvalidSetting(
                "there is no home directory to keep things in: HOME is not set, and this user has none",
                hint="Set HOME, or LOCKAGE_HOME and LOCKAGE_KEYS, to folders that you can write.",
            ) from error

    @property
    def _settings_home(self) -> Path:
        """Where other tools keep this user's settings; a folder that is not there for a user without a home."""
        try:
            return self.user_home
        except InvalidSetting:
            return self.store / "no-home"

    def _folder(self, setting: str, xdg: str, otherwise: str) -> Path:
        own = self._environ.get(setting)
        if own:
            return Path(own).absolute()
        base = self._environ.get(xdg)
        return (Path(base) if base and Path(base).is_absolute() else self.user_home / otherwise) / "lockage"

    @cached_property
    def store(self) -> Path:
        """LOCKAGE_HOME; raises StoreFormatUnknown if it is of a format that is not known here."""
        folder = self._folder("LOCKAGE_HOME", "XDG_DATA_HOME", ".local/share")
        from lockage.adapters.store_local import admit

        admit(folder)
        return folder

    def _begin(self) -> None:
        from lockage.adapters.store_local import begin

        begin(self.store)

    @property
    def place(self) -> str:
        return str(self.store)

    def _number(self, setting: str) -> int | None:
        text = self._environ.get(setting, "")
        if not text:
            return None
        if not text.isdecimal() or int(text) < 1:
            raise InvalidSetting(f"{setting} is {text!r}; it takes a whole number from 1")
        return int(text)

    @cached_property
    def keys_folder(self) -> Path:
        """LOCKAGE_KEYS; raises :class:`InvalidSetting` if it lies inside the store."""
        folder = self._folder("LOCKAGE_KEYS", "XDG_CONFIG_HOME", ".config")
        if folder.is_relative_to(self.store):
            raise InvalidSetting(
                f"LOCKAGE_KEYS ({folder}) lies inside the store ({self.store})", hint="Keep private keys outside LOCKAGE_HOME."
            )
        return folder
