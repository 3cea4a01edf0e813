"""Credentials from the machine's keyring, by the ``keyring`` program, as pip and uv ask it.

Invariant: a secret goes from the program's output into a header or into the environment of uv; it is in no list of arguments,
file, message or cache.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from lockage.adapters.python_index.settings import bare, credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.adapters.python_index.settings import IndexSettings

__all__ = ["Keyring", "with_credentials"]

#: How long the program may take, in seconds: it may wait for somebody to unlock the keyring.
_LIMIT = 60
_Found = tuple[str | None, str | None]


class Keyring:
    """The ``keyring`` program on the PATH of an environment, which it gets whole; each thing is asked once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._known: dict[tuple[str, str | None], _Found] = {}
        self._lock = threading.Lock()

    def credentials(self, address: str, user: str | None) -> _Found:
        """User and password for an index; (None, None) if there is no program or it knows none.

        The address itself is looked up and then its host, as pip and uv do; without a user name the keyring says that as well.
        """
        services = (bare(address), urlsplit(bare(address)).netloc)
        with self._lock:
            for service in services:
                if (service, user) not in self._known:
                    self._known[service, user] = self._ask(service, user)
                if self._known[service, user][1]:
                    return self._known[service, user]
        return None, None

    def _ask(self, service: str, user: str | None) -> _Found:
        program = shutil.which("keyring", path=self._environment.get("PATH"))
        if program is None:
            return None, None
        try:
            done = subprocess.run(
                [program, "get", service, *([user] if user else ["--mode", "creds"])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self._environment),
                timeout=_LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None, None
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        if done.returncode != 0 or len(lines) < (1 if user else 2):
            return None, None
        return (user, lines[0]) if user else (lines[0], lines[1])


def with_credentials(settings: IndexSettings, keyring: Keyring) -> IndexSettings:
    """The settings with what the keyring knows put into those addresses of indexes that have no password."""

    def completed(address: str) -> str:
        user, password = credentials(address)
        parts = urlsplit(address)
        if password or parts.scheme not in ("http", "https"):
            return address
        user, password = keyring.credentials(address, user)
        if not password:
            return address
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(user or '', safe='')}:{quote(password, safe='')}@{host}"))

    source = settings.source
    return msgspec.structs.replace(
        settings,
        source=msgspec.structs.replace(
            source,
            default=completed(source.default) if source.default else None,
            extra=tuple(completed(address) for address in source.extra),
            find_links=tuple(completed(address) for address in source.find_links),
        ),
    )
