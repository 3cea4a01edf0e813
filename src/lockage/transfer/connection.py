"""One GET, or POST, over HTTP/1.1 with connections that are kept open, through proxies, following redirects.

Not by urllib.request, which opens a connection and asks the name service for each of a hundred packages, and reads proxy
settings from the process environment.
"""

from __future__ import annotations

import base64
import http.client
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from lockage.transfer.credentials import login_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lockage.transfer.credentials import Login

__all__ = ["Challenged", "Connections", "Failed", "NoAnswer", "TooFar", "shown"]

#: What stays as it is in a redirect's address: the reserved characters of RFC 3986, and what is percent-encoded already.
_KEPT = ":/?#[]@!$&'()*+,;=%~"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 8
#: What is read of the answer to a POST, in bytes.
_ANSWER = 1 << 16

#: What to do about answers that asking again does not change.
_LOGIN = (
    "Check the credentials for the mirror: in its address (http://USER:PASSWORD@…), in apt's auth.conf if you may read it, "
    "or in ~/.netrc; docs/company.md shows each."
)
_PROXY = "Check the user name and password in the proxy's address (http_proxy, https_proxy or apt's Acquire::http::Proxy)."
_CERTIFICATE = "If it is a company's own CA that signed it, name a file with that CA's certificate in SSL_CERT_FILE."


class Failed(Exception):
    """One attempt did not succeed; ``hint`` says what to do if that is not to try again."""

    def __init__(self, message: str, *, worth_retrying: bool = True, hint: str | None = None) -> None:
        super().__init__(message)
        self.worth_retrying = worth_retrying
        self.hint = hint


class Challenged(Failed):
    """Who asks is to say who it is (401); ``challenges`` tell how (``WWW-Authenticate``, RFC 9110 11.6.1), ``url`` who wants to know.

    ``said`` is what was said already.
    """

    def __init__(self, message: str, *, url: str, challenges: tuple[str, ...]) -> None:
        super().__init__(message, worth_retrying=False, hint=_LOGIN)
        self.url = url
        self.challenges = challenges
        self.said: str | None = None


class TooFar(Failed):
    """A range was asked for that begins behind the end (416, RFC 9110 15.5.17)."""


class NoAnswer(Exception):
    """There is nothing at the address: 404 or 410."""


class _Route(NamedTuple):
    """Where to connect for an address: its own host, or a proxy's."""

    secure: bool
    host: str
    proxy: str


def shown(url: str) -> str:
    """The address without user name and password, for messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Connections:
    """Open connections by route; safe to use from several threads."""

    #: Whether a redirect may lead from https to http.
    downgrade = True

    def __init__(
        self,
        *,
        proxies: Mapping[str, str],
        ca_file: Path | None,
        timeout: float,
        logins: tuple[Login, ...] = (),
        authorization: Callable[[SplitResult], str | None] | None = None,
    ) -> None:
        """``authorization`` gives the header of that name for an address, each time it is asked, redirects included; None: no header."""
        self._proxies = proxies
        self._logins = logins
        self._authorization = authorization
        self._ca_file = ca_file
        self._timeout = timeout
        self._idle: dict[_Route, list[http.client.HTTPConnection]] = {}

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.close()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """The successful answer, to be read within the block. Raises NoAnswer, or Failed for anything else that goes wrong."""
        for _ in range(_MOST_REDIRECTS):
            route = self._route(urlsplit(url))
            said = None if self._authorization is None else self._authorization(urlsplit(url))
            connection, answer = self._ask(route, url, headers if said is None else {**headers, "Authorization": said})
            reusable = False
            try:
                if answer.status in _REDIRECTS and answer.getheader("Location"):
                    url = self._redirected(url, answer.getheader("Location", ""))
                    continue
                _refuse_unless_good(answer, url)
                yield answer
                reusable = answer.isclosed() and not answer.will_close
                return
            except Challenged as error:
                error.said = said
                raise
            except (OSError, http.client.HTTPException) as error:
                raise Failed(str(error) or type(error).__name__) from error
            finally:
                if reusable:
                    self._idle.setdefault(route, []).append(connection)
                else:
                    connection.close()
        raise Failed(f"more than {_MOST_REDIRECTS} redirects", worth_retrying=False)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Send a body once, and read a short answer; no redirect is followed. Raises NoAnswer, or Failed for anything else."""
        connection, answer = self._ask(self._route(urlsplit(url)), url, headers, body)
        try:
            if answer.status // 100 != 2:
                _refuse_unless_good(answer, url)
            return answer.read(_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise _failed(error) from error
        finally:
            connection.close()

    def _redirected(self, url: str, location: str) -> str:
        """Where a redirect leads; user name and password go along only to the very host that asked for them."""
        try:
            found = urljoin(url, quote(location.encode("latin-1"), safe=_KEPT))
            here, there = urlsplit(url), urlsplit(found)
        except ValueError as error:
            raise Failed(f"it leads to what is no address: {location[:200]!r}", worth_retrying=False) from error
        if here.scheme == "https" and there.scheme == "http" and not self.downgrade:
            raise Failed(f"it leads from https to http: {shown(found)}", worth_retrying=False)
        who, at, host = here.netloc.rpartition("@")
        if at and (here.scheme, host) == (there.scheme, there.netloc):
            return urlunsplit(there._replace(netloc=f"{who}@{host}"))
        return found

    def _ask(
        self, route: _Route, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send the request, a POST if there is a body; a kept connection that the server has closed meanwhile is replaced."""
        idle = self._idle.get(route, [])
        while True:
            try:
                connection, kept = idle.pop(), True
            except IndexError:
                connection, kept = self._connection(route), False
            try:
                path, sent = _target(route, urlsplit(url), headers, self._logins)
                connection.request("GET" if body is None else "POST", path, body, sent)
                return connection, connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not kept:
                    raise _failed(error) from error

    def _route(self, parts: SplitResult) -> _Route:
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(f"it leads to an address that is not http or https: {parts.scheme}", worth_retrying=False)
        host = parts.netloc.rpartition("@")[2]
        proxy = self._proxies.get(parts.scheme, "")
        if proxy and _direct(host, self._proxies.get("no", "")):
            proxy = ""
        return _Route(parts.scheme == "https", host, proxy if not proxy or "://" in proxy else f"http://{proxy}")

    def _connection(self, route: _Route) -> http.client.HTTPConnection:
        if not route.proxy:
            if route.secure:
                return http.client.HTTPSConnection(route.host, timeout=self._timeout, context=self._context())
            return http.client.HTTPConnection(route.host, timeout=self._timeout)
        proxy = urlsplit(route.proxy)
        host = proxy.netloc.rpartition("@")[2]
        if not route.secure and proxy.scheme != "https":
            return http.client.HTTPConnection(host, timeout=self._timeout)
        connection = http.client.HTTPSConnection(host, timeout=self._timeout, context=self._context())
        if route.secure:
            connection.set_tunnel(route.host, headers=_proxy_headers(route))
        return connection

    def _context(self) -> ssl.SSLContext:
        import ssl

        return ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))


def _failed(error: OSError | http.client.HTTPException) -> Failed:
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Failed(text, worth_retrying=False, hint=_CERTIFICATE)
    return Failed(text, hint=_PROXY, worth_retrying=False) if "407" in text and "Tunnel" in text else Failed(text)


def _refuse_unless_good(answer: http.client.HTTPResponse, url: str) -> None:
    if answer.status in (404, 410):
        raise NoAnswer
    if answer.status == 416:
        raise TooFar("it has no such bytes")
    if answer.status == 401:
        challenges = tuple(answer.headers.get_all("WWW-Authenticate", ()))
        raise Challenged(f"it answered 401 {answer.reason}", url=url, challenges=challenges)
    if answer.status not in (200, 206):
        retry = answer.status >= 500 or answer.status in (408, 429)
        hint = {401: _LOGIN, 403: _LOGIN, 407: _PROXY}.get(answer.status)
        raise Failed(f"it answered {answer.status} {answer.reason}", worth_retrying=retry, hint=hint)


def _target(route: _Route, parts: SplitResult, headers: Mapping[str, str], logins: tuple[Login, ...]) -> tuple[str, dict[str, str]]:
    """What to ask for, and the headers; those that carry secrets only for whom they are meant."""
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    sent = {**headers, "Host": route.host}
    who = parts.netloc.rpartition("@")[0]
    login = login_for(logins, parts) if logins and not who else None
    if who:
        sent["Authorization"] = _basic(who)
    elif login is not None:
        sent["Authorization"] = _token(f"{login.user}:{login.password}")
    if route.proxy and not route.secure:
        path = f"{parts.scheme}://{route.host}{path}"
        sent.update(_proxy_headers(route))
    return path, sent


def _proxy_headers(route: _Route) -> dict[str, str]:
    who = urlsplit(route.proxy).netloc.rpartition("@")[0]
    return {"Proxy-Authorization": _basic(who)} if who else {}


def _basic(who: str) -> str:
    return _token(unquote(who))


def _token(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def _direct(host: str, no_proxy: str) -> bool:
    """Whether the host, with or without its port, is one of those listed, or below one."""
    names = {host.lower(), host.lower().rpartition(":")[0] or host.lower()}
    for word in no_proxy.lower().replace(",", " ").split():
        wanted = word.removeprefix("*").lstrip(".")
        if not wanted or any(name == wanted or name.endswith(f".{wanted}") for name in names):
            return True
    return False
