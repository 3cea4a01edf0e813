"""Bytes from http, https and file addresses: retried, resumed, never trusted. Whoever asks checks what they are."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from lockage.ports import ServiceUnreachable, StoreUnwritable
from lockage.transfer.connection import Challenged, Connections, Failed, NoAnswer, TooFar, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

    from lockage.transfer.credentials import Login

__all__ = ["Transport", "shown"]

_CHUNK = 1 << 18
#: Seconds to wait before the second, third and fourth attempt.
_PAUSES = (0.5, 1.0, 2.0)
_HINT = "Check the network, the proxy settings and the mirror in LOCKAGE_DEBIAN_MIRROR or the apt sources, then run the command again."


class Transport:
    """Fetches addresses; safe to use from several threads. ``stop`` makes those that are under way give up soon."""

    #: What to do if nobody answers.
    hint = _HINT

    def __init__(
        self,
        *,
        proxies: Mapping[str, str],
        ca_file: Path | None = None,
        logins: tuple[Login, ...] = (),
        timeout: float = 30,
        pause: Callable[[float], None] = time.sleep,
        moved: Callable[[int], None] | None = None,
        authorization: Callable[[SplitResult], str | None] | None = None,
        answer: Callable[[Challenged], bool] | None = None,
    ) -> None:
        """``moved`` hears how many bytes have arrived, each time some have, from any thread.

        ``authorization`` gives the header of that name for an address; ``answer`` hears of who wants another one, and says
        whether it is worth asking again.
        """
        self._connections = Connections(proxies=proxies, ca_file=ca_file, timeout=timeout, logins=logins, authorization=authorization)
        self._answer = answer
        self._pause = pause
        self._stopped = False
        self._moved = moved

    def keep_https(self) -> None:
        """From now on no redirect leads from https to http."""
        self._connections.downgrade = False

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        """Close what is open; it can be used again afterwards."""
        self._connections.close()
        self._stopped = False

    def fetch(self, url: str, sink: BinaryIO, *, limit: int, fresh: bool = False, accept: str | None = None) -> bool:
        """Write the bytes at an address to a seekable sink, behind what is there of them; False if there is nothing (404, 410).

        At most ``limit`` + 1 bytes are read, so that what is too long shows. ``fresh`` asks caches on the way to look again,
        ``accept`` says in which forms something is taken.
        Raises ServiceUnreachable after the last attempt.
        """
        if urlsplit(url).scheme in ("file", "copy"):
            return _copy(url, sink, limit)
        for pause in (*_PAUSES, None):
            try:
                return self._get(url, sink, limit, fresh, accept)
            except Failed as error:
                if pause is not None and self._answer is not None and isinstance(error, Challenged):  # noqa: SIM102 (one is a question)
                    if self._answer(error):
                        continue
                if isinstance(error, TooFar) and pause is not None and sink.tell():  # what is there is of another file
                    sink.seek(0)
                    sink.truncate()
                    continue
                if pause is None or self._stopped or not error.worth_retrying:
                    raise ServiceUnreachable(
                        f"{shown(url)} cannot be fetched: {error}", hint=error.hint or _HINT, url=shown(url)
                    ) from error
                self._pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def _get(self, url: str, sink: BinaryIO, limit: int, fresh: bool, accept: str | None) -> bool:
        at = sink.tell()
        headers = {"User-Agent": "lockage", "Accept-Encoding": "identity"}
        if at:
            headers["Range"] = f"bytes={at}-"
        if accept is not None:
            headers["Accept"] = accept
        if fresh:
            headers["Cache-Control"] = "max-age=0"
        try:
            with self._connections.get(url, headers) as answer:
                if at and answer.status != 206:
                    sink.seek(at := 0)
                    sink.truncate()
                length = answer.headers.get("Content-Length", "")
                expected = at + int(length) if length.isdigit() else None
                while at <= limit and (chunk := answer.read1(min(_CHUNK, limit + 1 - at))):  # what came before it went silent counts
                    if self._stopped:
                        raise Failed("interrupted")
                    _write(sink, chunk)
                    at += len(chunk)
                    if self._moved is not None:
                        self._moved(len(chunk))
                answer.read(0)  # at the end it lets the connection be used again, which read1 does not
                if expected is not None and at < min(expected, limit + 1):
                    raise Failed(f"the connection ended after {at} of {expected} bytes")
        except NoAnswer:
            return False
        return True


def _write(sink: BinaryIO, chunk: bytes) -> None:
    try:
        sink.write(chunk)
    except OSError as error:
        raise StoreUnwritable(f"a download cannot be written: {error.strerror}") from error


def _copy(url: str, sink: BinaryIO, limit: int) -> bool:
    path = Path(unquote(urlsplit(url).path))
    try:
        with path.open("rb") as file:
            at = file.seek(sink.tell())
            while at <= limit and (chunk := file.read(min(_CHUNK, limit + 1 - at))):
                _write(sink, chunk)
                at += len(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ServiceUnreachable(f"{path} cannot be read: {os.strerror(error.errno or 0)}", hint=_HINT, url=shown(url)) from error
    return True
