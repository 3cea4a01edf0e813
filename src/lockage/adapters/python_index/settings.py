"""Which package index this machine uses: LOCKAGE_PYTHON_INDEX, else uv's settings, else pip's, else uv's own default.

Invariants: the first of these that names any index or folder decides alone, so that no index of another one slips in. Addresses
may hold credentials; they reach uv by its environment and servers by a header, and :meth:`IndexSettings.scrubbed` keeps them
out of texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec

from lockage.base.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "CREDENTIALS_HINT",
    "IndexMisconfigured",
    "IndexSettings",
    "Source",
    "as_address",
    "bare",
    "credentials",
    "discover_index",
    "truth",
    "usable",
]

#: Handed through to uv as they are, in either case where they are lowercase by custom.
_PASSED = (
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_OFFLINE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


#: What to do about an index that answered 401, 403 or 407.
CREDENTIALS_HINT = (
    "Check the credentials for the index: in its address, in UV_INDEX_NAME_USERNAME and _PASSWORD, in a netrc file, "
    "or in the keyring (UV_KEYRING_PROVIDER=subprocess); docs/company.md shows each."
)

#: What to do about a certificate that nobody known has signed.
CERTIFICATE_HINT = (
    "If it is a company's own CA that signed it, name a file with that CA's certificate in SSL_CERT_FILE "
    "(REQUESTS_CA_BUNDLE and pip's `cert` do as well)."
)


class IndexMisconfigured(Usage):
    """A setting of the Python package index, or the file it stands in, cannot be read."""

    code = "index-misconfigured"
    hint = "Correct the file or variable named, or set LOCKAGE_PYTHON_INDEX to the address of a Simple index."


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where packages come from, as one tool's settings say: all addresses absolute, ``default`` None for uv's own."""

    default: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    strategy: str = "first-index"
    exclude_newer: str | None = None

    @property
    def names_any(self) -> bool:
        return bool(self.default or self.extra or self.find_links or self.no_index)


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is needed to ask the index. ``origin`` names the settings that decided; ``timeout`` is in seconds.

    ``keyring`` is the environment in which the ``keyring`` program is to be asked for credentials; None if it is not.
    """

    source: Source = Source()
    origin: str = "uv's default"
    certificates: str | None = None
    insecure_hosts: tuple[str, ...] = ()
    system_certificates: bool = False
    environment: dict[str, str] = {}
    home: str | None = None
    timeout: int = 60
    keyring: dict[str, str] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address, with credentials."""
        return tuple(text for text in (self.source.default, *self.source.extra, *self.source.find_links) if text)

    def scrubbed(self, text: str) -> str:
        """The text without any credentials of these settings or of any address in it."""
        for address in (*self.addresses, *self.environment.values()):
            user, password = credentials(address)
            for secret in (password, user if user and len(user) > 8 else None):
                if secret:
                    text = text.replace(quote(secret, safe=""), "****").replace(secret, "****")
        return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def credentials(address: str) -> tuple[str | None, str | None]:
    """User and password in an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None, None
    return (unquote(parts.username) if parts.username else None, unquote(parts.password) if parts.password else None)


def bare(address: str) -> str:
    """The address without credentials."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def truth(text: str) -> bool:
    """How pip and uv read a truth value."""
    return text.strip().lower() in ("1", "true", "yes", "on", "y", "t")


def as_address(text: str, folder: Path) -> str:
    """An address or a local path as an absolute address; relative paths start at ``folder``."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text):
        return text
    return (folder / text).absolute().as_uri()


def usable(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each address once, without local folders and files that are not there (tools keep such lines in shared settings)."""
    from pathlib import Path

    found = []
    for address in dict.fromkeys(addresses):
        parts = urlsplit(address)
        if parts.scheme != "file" or Path(unquote(parts.path)).exists():
            found.append(address)
    return tuple(found)


def discover_index(environ: Mapping[str, str], home: Path, *, prefix: Path | None = None, root: Path | None = None) -> IndexSettings:
    """The settings of this machine and user; ``prefix`` is the virtual environment whose pip.conf counts, ``root`` stands for ``/``.

    Raises :class:`IndexMisconfigured`.
    """
    from pathlib import Path

    from lockage.adapters.python_index.pip_settings import read_pip
    from lockage.adapters.python_index.uv_settings import read_uv

    root = root or Path("/")
    pip, uv = read_pip(environ, home, prefix, root), read_uv(environ, home, root)
    own = environ.get("LOCKAGE_PYTHON_INDEX", "").strip()
    if own:
        if len(own.split()) != 1 or not re.match(r"(?:https?|file)://|/", own):
            raise IndexMisconfigured("LOCKAGE_PYTHON_INDEX is not the address of one index (https://…, file:///… or an absolute path)")
        source, origin = Source(default=as_address(own, root)), "LOCKAGE_PYTHON_INDEX"
    elif uv.source.names_any:
        source, origin = uv.source, "uv's settings"
    elif pip.source.names_any:
        source, origin = pip.source, "pip's settings"
    else:
        source, origin = Source(), "uv's default"
    cooldown = uv.source.exclude_newer or pip.source.exclude_newer
    passed = {name: environ[name] for name in _PASSED if environ.get(name)}
    if pip.proxy:
        passed = {"HTTP_PROXY": pip.proxy, "HTTPS_PROXY": pip.proxy, **passed}
    if pip.client_certificate:
        passed.setdefault("SSL_CLIENT_CERT", pip.client_certificate)
    return IndexSettings(
        source=msgspec.structs.replace(source, exclude_newer=cooldown),
        origin=origin,
        certificates=environ.get("SSL_CERT_FILE") or pip.certificates or environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE"),
        insecure_hosts=tuple(dict.fromkeys((*uv.insecure_hosts, *pip.insecure_hosts))),
        system_certificates=uv.system_certificates,
        environment=passed,
        home=str(home),
        timeout=_timeout(environ.get("UV_HTTP_TIMEOUT") or pip.timeout),
        keyring=dict(environ) if uv.keyring or pip.keyring else None,
    )


def _timeout(text: str | None) -> int:
    try:
        return min(max(int(float(text or "60")), 5), 3600)
    except (ValueError, OverflowError):
        return 60
