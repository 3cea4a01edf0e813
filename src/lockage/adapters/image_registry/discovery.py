"""Which address answers for a registry, and who we are to it: settings, the files of docker and podman, the user's netrc.

Invariants: no program is run to ask for a password (docker's credential helpers); a file that cannot be read counts as none; plain
HTTP is for registries of this machine, and for those that the user's setting names so.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lockage.transfer.credentials import login_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lockage.transfer.credentials import Login

__all__ = ["discover_credentials", "discover_registries"]

#: What people call Docker's own registry, and where it is.
_DOCKER = "docker.io"
_DOCKER_HOST = "registry-1.docker.io"
#: Under what docker keeps the password for it.
_DOCKER_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io", _DOCKER)


def discover_registries(setting: str | None) -> Callable[[str], tuple[str, ...]]:
    """The base addresses that stand for a registry, asked in order: those that the setting names (``REGISTRY=ADDRESS``), else its own.

    Raises ValueError for a setting that is malformed.
    """
    known: dict[str, list[str]] = {}
    for word in (setting or "").split():
        registry, equals, address = word.partition("=")
        parts = urlsplit(address)
        if not equals or not registry or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not REGISTRY=ADDRESS with an address that begins with https or http: {registry[:80]!r}")
        known.setdefault(registry, []).append(address.rstrip("/"))

    def addresses(registry: str) -> tuple[str, ...]:
        return tuple(known.get(registry, ())) or (_own(registry),)

    return addresses


def _own(registry: str) -> str:
    host = _DOCKER_HOST if registry == _DOCKER else registry
    name = urlsplit(f"//{host}").hostname or ""
    local = name in ("localhost", "::1") or name.startswith("127.")
    return f"{'http' if local else 'https'}://{host}"


def discover_credentials(
    environment: Mapping[str, str], home: Path, logins: tuple[Login, ...]
) -> Callable[[str, str], tuple[str, str] | None]:
    """Gives user and password for a registry, by the name that a recipe has for it and the address that is asked.

    Those of the address itself come first, then those of ``config.json`` or ``auth.json``, then ``logins``, which are netrc's.
    """
    kept: dict[str, tuple[str, str]] = {}
    for file in _files(environment, home):
        for host, login in _read(file):
            kept.setdefault(host, login)

    def found(registry: str, address: str) -> tuple[str, str] | None:
        parts = urlsplit(address)
        names = (parts.netloc.rpartition("@")[2], registry, *(_DOCKER_KEYS if registry == _DOCKER else ()))
        for name in names:
            if name in kept:
                return kept[name]
        other = login_for(logins, parts)
        return None if other is None else (other.user, other.password)

    return found


def _files(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Where docker, podman and skopeo keep what `login` was told (containers-auth.json(5))."""
    from pathlib import Path

    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers/auth.json"
    yield Path(environment["XDG_CONFIG_HOME"] if environment.get("XDG_CONFIG_HOME") else home / ".config") / "containers/auth.json"
    yield Path(environment["DOCKER_CONFIG"] if environment.get("DOCKER_CONFIG") else home / ".docker") / "config.json"


def _read(file: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    try:
        document = json.loads(file.read_bytes())
        auths = document.get("auths", {})
        entries = [
            (str(host), entry["auth"]) for host, entry in auths.items() if isinstance(entry, dict) and isinstance(entry.get("auth"), str)
        ]
    except (OSError, ValueError, AttributeError):
        return
    for host, text in entries:
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if colon:
            bare = host if host in _DOCKER_KEYS else host.partition("://")[2] or host
            yield bare.rstrip("/") if bare not in _DOCKER_KEYS else bare, (user, password.rstrip("\0"))
