"""Bytes from http, https and file addresses: retried, resumed, never trusted. Whoever asks checks what they are."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from lockage.ports import ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Transport", "shown"]

_CHUNK = 1 << 18
#: Seconds to wait before the second, third and fourth attempt.
_PAUSES = (0.5, 1.0, 2.0)
_HINT = "Check the network, the proxy settings and the mirror in LOCKAGE_DEBIAN_MIRROR or the apt sources, then run the command again."


def shown(url: str) -> str:
    """The address without user name and password, for messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Failed(Exception):
    pass


class _Proxies(urllib.request.BaseHandler):
    """Sends requests through the given proxies; the process environment is not looked at."""

    handler_order = 100

    def __init__(self, proxies: Mapping[str, str]) -> None:
        self._proxies = {key: value for key, value in proxies.items() if key != "no" and value}
        self._no = proxies.get("no", "")

    def http_open(self, request: urllib.request.Request) -> None:
        proxy = self._proxies.get(request.type)
        if not proxy or _direct(request.host, self._no):
            return
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        who, _, host = parts.netloc.rpartition("@")
        if who:
            request.add_unredirected_header("Proxy-Authorization", _basic(who))
        request.set_proxy(host, parts.scheme if request.type == "http" else request.type)

    https_open = http_open


def _direct(host: str, no_proxy: str) -> bool:
    """Whether the host, with or without its port, is one of those listed, or below one."""
    names = {host.lower(), host.lower().rpartition(":")[0] or host.lower()}
    for word in no_proxy.lower().replace(",", " ").split():
        wanted = word.removeprefix("*").lstrip(".")
        if not wanted or any(name == wanted or name.endswith(f".{wanted}") for name in names):
            return True
    return False


def _basic(who: str) -> str:
    return "Basic " + base64.b64encode(unquote(who).encode()).decode()


class Transport:
    """Fetches addresses; safe to use from several threads."""

    def __init__(
        self,
        *,
        proxies: Mapping[str, str],
        ca_file: Path | None = None,
        timeout: float = 30,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._proxies = proxies
        self._ca_file = ca_file
        self._timeout = timeout
        self._pause = pause
        self._opener: urllib.request.OpenerDirector | None = None
        self.stopped = False

    def fetch(self, url: str, sink: BinaryIO, *, limit: int, fresh: bool = False) -> bool:
        """Write the bytes at an address to an empty seekable sink; False if there is nothing (404, 410).

        At most ``limit`` + 1 bytes are read, so that what is too long shows. ``fresh`` asks caches on the way to look again.
        Raises ServiceUnreachable after the last attempt.
        """
        attempt = self._copy if urlsplit(url).scheme in ("file", "copy") else self._get
        for pause in (*_PAUSES, None):
            try:
                return attempt(url, sink, limit, fresh)
            except _Failed as error:
                if pause is None or self.stopped:
                    raise ServiceUnreachable(f"{shown(url)} cannot be fetched: {error}", hint=_HINT, url=shown(url)) from error
                self._pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def _copy(self, url: str, sink: BinaryIO, limit: int, fresh: bool) -> bool:  # noqa: ARG002 - the same shape as _get
        path = Path(unquote(urlsplit(url).path))
        try:
            with path.open("rb") as file:
                sink.write(file.read(limit + 1))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise ServiceUnreachable(f"{path} cannot be read: {os.strerror(error.errno or 0)}", hint=_HINT, url=shown(url)) from error
        return True

    def _get(self, url: str, sink: BinaryIO, limit: int, fresh: bool) -> bool:
        at = sink.tell()
        request = self._request(url, at, fresh)
        try:
            with self._open(request) as answer:
                if at and answer.status != 206:
                    sink.seek(at := 0)
                    sink.truncate()
                length = answer.headers.get("Content-Length", "")
                expected = at + int(length) if length.isdigit() else None
                while at <= limit and (chunk := answer.read(min(_CHUNK, limit + 1 - at))):
                    if self.stopped:
                        raise _Failed("interrupted")
                    sink.write(chunk)
                    at += len(chunk)
                if expected is not None and at < min(expected, limit + 1):
                    raise _Failed(f"the connection ended after {at} of {expected} bytes")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return False
            if error.code >= 500 or error.code in (408, 429):
                raise _Failed(f"it answered {error.code} {error.reason}") from error
            raise ServiceUnreachable(f"{shown(url)} answered {error.code} {error.reason}", hint=_HINT, url=shown(url)) from error
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            raise _Failed(str(getattr(error, "reason", "")) or str(error) or type(error).__name__) from error
        return True

    def _request(self, url: str, offset: int, fresh: bool) -> urllib.request.Request:
        request = urllib.request.Request(shown(url), headers={"User-Agent": "lockage"})  # noqa: S310 - the opener knows only http and https
        who = urlsplit(url).netloc.rpartition("@")[0]
        if who:
            request.add_unredirected_header("Authorization", _basic(who))
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        if fresh:
            request.add_header("Cache-Control", "max-age=0")
        return request

    def _open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        opener = self._opener
        if opener is None:
            opener = urllib.request.OpenerDirector()
            context = ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
            for handler in (
                _Proxies(self._proxies),
                urllib.request.HTTPHandler(),
                urllib.request.HTTPSHandler(context=context),
                urllib.request.HTTPRedirectHandler(),
                urllib.request.HTTPDefaultErrorHandler(),
                urllib.request.HTTPErrorProcessor(),
                urllib.request.UnknownHandler(),
            ):
                opener.add_handler(handler)
            self._opener = opener
        answer: http.client.HTTPResponse = opener.open(request, timeout=self._timeout)
        return answer
