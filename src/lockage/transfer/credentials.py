"""Who we are to a mirror: apt's auth.conf (apt_auth.conf(5)), else the user's netrc file.

apt's own files can usually be read by root only; whoever builds as another user keeps the same lines in ~/.netrc. Invariant:
what is found is for a header and nothing else.
"""

from __future__ import annotations

import netrc
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from urllib.parse import SplitResult

__all__ = ["Login", "discover_logins", "login_for"]


class Login(NamedTuple):
    """A user and a password for addresses that begin so; without a scheme only https is meant, as apt has it."""

    scheme: str
    host: str
    path: str
    user: str
    password: str


def discover_logins(apt_root: Path, environment: Mapping[str, str], home: Path) -> tuple[Login, ...]:
    """Every login, the first that fits counts. A file that cannot be read or is malformed counts as none."""
    from pathlib import Path

    own = Path(environment["NETRC"]) if environment.get("NETRC") else home / ".netrc"
    try:
        parts = sorted((apt_root / "auth.conf.d").glob("*.conf"))
    except OSError:
        parts = []
    found: list[Login] = []
    for file in (apt_root / "auth.conf", *parts):
        found += _read(file, "https")
    return (*found, *_read(own, ""))


def _read(file: Path, scheme: str) -> Iterator[Login]:
    try:
        hosts = netrc.netrc(file).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return
    for machine, (user, _, password) in hosts.items():
        if machine == "default":
            continue  # a secret for whoever asks is for nobody
        named, given, rest = machine.rpartition("://")
        host, _, path = rest.partition("/")
        yield Login(named if given else scheme, host.lower(), f"/{path}", user, password or "")


def login_for(logins: tuple[Login, ...], parts: SplitResult) -> Login | None:
    """The login for an address, by scheme, host (with its port, if the login names one) and the beginning of the path."""
    host = parts.netloc.rpartition("@")[2].lower()
    names = (host, (parts.hostname or "").lower())
    for login in logins:
        if login.scheme in ("", parts.scheme) and login.host in names and f"{parts.path}/".startswith(login.path):
            return login
    return None
