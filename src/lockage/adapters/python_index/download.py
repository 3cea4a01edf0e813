"""Bytes from http and file addresses, with the machine's proxies, certificates and credentials."""

from __future__ import annotations

import base64
import netrc
import ssl
import time
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from lockage.adapters.python_index.settings import CERTIFICATE_HINT, CREDENTIALS_HINT, bare, credentials
from lockage.ports import ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockage.adapters.python_index.keyring import Keyring
    from lockage.adapters.python_index.settings import IndexSettings

__all__ = ["Downloader", "NotThere"]

_CHUNK = 1 << 18
#: How often a download is tried, and how long to wait before each further try, in seconds.
_PAUSES = (0.0, 0.5, 2.0)
_LARGEST_PAGE = 256 << 20


class NotThere(Exception):
    """The server says that there is nothing at an address. Never leaves this room: callers turn it into the port's errors."""


class Downloader:
    """Opens addresses. Its methods may be called from several threads at once."""

    def __init__(self, settings: IndexSettings, keyring: Keyring | None = None, moved: Callable[[int], None] | None = None) -> None:
        self._settings = settings
        self._keyring = keyring
        self._moved = moved
        self._openers: dict[tuple[bool, bool], OpenerDirector] = {}
        self._netrc = _netrc(settings)

    def page(self, address: str, accept: str) -> tuple[bytes, str, str]:
        """A page's bytes, its content type and the address it came from in the end. Raises NotThere, ServiceUnreachable."""
        parts = urlsplit(address)
        if parts.scheme == "file":
            path = Path(unquote(parts.path))
            path = path / "index.html" if path.is_dir() else path
            try:
                return path.read_bytes(), "text/html", path.as_uri()
            except OSError as error:
                raise NotThere(str(path)) from error
        out = bytearray()
        kind, final = "", address
        for piece in self._chunks(address, accept):
            kind, final = piece[:2]
            out += piece[2]
            if len(out) > _LARGEST_PAGE:
                raise ServiceUnreachable(f"the page {bare(address)} is larger than any index page should be", address=bare(address))
        return bytes(out), kind, final

    def copy(self, address: str, into: BinaryIO) -> None:
        """Write what is at an address into an empty file. Raises NotThere, ServiceUnreachable."""
        parts = urlsplit(address)
        if parts.scheme == "file":
            try:
                with Path(unquote(parts.path)).open("rb") as stream:
                    while chunk := stream.read(_CHUNK):
                        into.write(chunk)
            except OSError as error:
                raise NotThere(unquote(parts.path)) from error
            return
        for _, _, chunk in self._chunks(address, "*/*", into):
            into.write(chunk)
            if self._moved is not None:
                self._moved(len(chunk))

    def _chunks(self, address: str, accept: str, into: BinaryIO | None = None) -> Iterator[tuple[str, str, bytes]]:
        """The body in pieces. A connection that breaks before the first piece, or while filling ``into``, is tried again."""
        fault: Exception | None = None
        for pause in _PAUSES:
            time.sleep(pause)
            begun = False
            try:
                with self._open(address, accept) as answer:
                    expected = answer.headers.get("Content-Length")
                    got = 0
                    while chunk := answer.read(_CHUNK):
                        begun, got = True, got + len(chunk)
                        yield answer.headers.get_content_type(), answer.url, chunk
                    if expected is not None and got < int(expected):
                        raise HTTPException(f"{got} of {expected} bytes arrived")
                return
            except HTTPError as error:
                error.close()
                if error.code in (404, 410):
                    raise NotThere(bare(address)) from error
                if error.code in (401, 403, 407):
                    raise self._unreachable(address, f"answered {error.code}", CREDENTIALS_HINT) from error
                fault = error
            except (URLError, OSError, HTTPException) as error:
                fault = error
            if begun:
                if into is None:
                    break
                into.seek(0)
                into.truncate()
        why = self._settings.scrubbed(str(fault))
        raise self._unreachable(address, why, CERTIFICATE_HINT if "CERTIFICATE_VERIFY_FAILED" in why else None) from fault

    def _unreachable(self, address: str, why: str, hint: str | None = None) -> ServiceUnreachable:
        host = urlsplit(address).hostname or "the index"
        return ServiceUnreachable(f"{host} did not give {bare(address)}: {why}", hint=hint, address=bare(address), host=host)

    def _open(self, address: str, accept: str):  # type: ignore[no-untyped-def]  # urllib's answer has no public type
        parts = urlsplit(address)
        request = Request(bare(address), headers={"Accept": accept, "User-Agent": "lockage"})  # noqa: S310 (http, https: callers see to it)
        self._authorize(request, address)
        host = parts.netloc.rpartition("@")[2]
        insecure = parts.hostname in self._settings.insecure_hosts or host in self._settings.insecure_hosts
        proxied = not _excepted(parts.hostname or "", host, self._environment("no_proxy"))
        return self._opener(insecure, proxied).open(request, timeout=self._settings.timeout)

    def _authorize(self, request: Request, address: str) -> None:
        user, password = self._credentials(address)
        if user or password:
            token = base64.b64encode(f"{user or ''}:{password or ''}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {token}")  # a redirect elsewhere must not carry it

    def _credentials(self, address: str) -> tuple[str | None, str | None]:
        """Those in the address, else in the settings' address of its server, else in the netrc file, else in the keyring."""
        found = credentials(address)
        if found[1]:
            return found
        parts = urlsplit(address)
        ours = [known for known in self._settings.addresses if _server(known) == _server(address)]
        for known in ours:
            if credentials(known)[1]:
                return credentials(known)
        entry = self._netrc.authenticators(parts.hostname or "") if self._netrc else None
        if entry:
            return entry[0], entry[2]
        if self._keyring is not None:
            for known in ours:
                asked = self._keyring.credentials(known, found[0] or credentials(known)[0])
                if asked[1]:
                    return asked
        return next((credentials(known) for known in ours if any(credentials(known))), found)

    def _environment(self, name: str) -> str:
        return self._settings.environment.get(name) or self._settings.environment.get(name.upper()) or ""

    def _opener(self, insecure: bool, proxied: bool) -> OpenerDirector:
        key = (insecure, proxied)
        if key not in self._openers:
            proxies = {}
            if proxied:
                every = self._environment("all_proxy")
                proxies = {kind: self._environment(f"{kind}_proxy") or every for kind in ("http", "https")}
            opener = build_opener(
                _Proxies({kind: address for kind, address in proxies.items() if address}),
                HTTPSHandler(context=self._tls(insecure)),
                _Redirects(self._authorize),
            )
            self._openers[key] = opener
        return self._openers[key]

    def _tls(self, insecure: bool) -> ssl.SSLContext:
        settings = self._settings
        folder = settings.environment.get("SSL_CERT_DIR")
        try:
            context = ssl.create_default_context(cafile=settings.certificates, capath=folder if settings.certificates is None else None)
            if settings.environment.get("SSL_CLIENT_CERT"):
                context.load_cert_chain(settings.environment["SSL_CLIENT_CERT"])
        except OSError as error:
            raise ServiceUnreachable(
                f"the certificates configured for the package index cannot be read: {error}", hint="Correct SSL_CERT_FILE or pip's `cert`."
            ) from error
        if insecure:  # somebody configured exactly this host so
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _excepted(name: str, host: str, exceptions: str) -> bool:
    """Whether NO_PROXY names the host: ``*``, a name, a name with a port, or a domain with or without a dot before it."""
    for item in (text.strip().lower() for text in exceptions.split(",")):
        if item and (item == "*" or item in (name.lower(), host.lower()) or name.lower().endswith(f".{item.lstrip('.')}")):
            return True
    return False


class _Proxies(ProxyHandler):
    """Proxies as given; urllib's own looks into the process environment again for exceptions, which were judged already."""

    def proxy_open(self, req: Request, proxy: str, type: str):  # type: ignore[no-untyped-def]  # noqa: A002, ARG002 (urllib's signature)
        kind = req.type
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user, password = credentials(parts.geturl())
        if user or password:
            token = base64.b64encode(f"{user or ''}:{password or ''}".encode()).decode()
            req.add_header("Proxy-authorization", f"Basic {token}")
        req.set_proxy(parts.netloc.rpartition("@")[2], parts.scheme)
        return None if kind in (parts.scheme, "https") else self.parent.open(req, timeout=req.timeout)


class _Redirects(HTTPRedirectHandler):
    """Whoever is led elsewhere shows what it has for that server, and nothing of the first one's."""

    def __init__(self, authorize: Callable[[Request, str], None]) -> None:
        self._authorize = authorize

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]  # urllib's signature
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:
            self._authorize(request, newurl)
        return request


def _server(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def _netrc(settings: IndexSettings) -> netrc.netrc | None:
    """NETRC or ~/.netrc. One that cannot be read counts as none, as it does for curl, pip and uv."""
    path = Path(settings.environment["NETRC"]) if settings.environment.get("NETRC") else Path(settings.home or "/") / ".netrc"
    try:
        return netrc.netrc(path)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
