"""HTTP/1.1 over connections of a step: each request is read whole, asked of a replay, and answered as it says.

Invariants: an answer holds what was recorded and the length of its body, nothing of this process (no date, no name of a server);
a step can neither keep more than a bounded number of connections busy nor make us hold more than one body of bounded size in each.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from lockage.replay import Request, Response, Unexpected

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.replay import Replay

__all__ = ["Answering", "Desk"]

_MOST_BYTES = 64 << 20
_LINE = 1 << 16
_BARE = frozenset({204, 304})


class Desk:
    """A replay that several connections ask; ``faults`` are requests that could not even be read."""

    def __init__(self, name: str, replay: Replay) -> None:
        self.name = name
        self.replay = replay
        self.faults: list[str] = []
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Response | Unexpected:
        """Answer one request after the other."""
        with self._lock:
            return self.replay.answer(request)

    def unreadable(self, why: str) -> None:
        """Keep what came that was no request."""
        with self._lock:
            self.faults.append(why)


class _Unreadable(Exception):
    """The body of a request is not as its headers say, or too large."""


class Answering(BaseHTTPRequestHandler):
    """One connection, from its first request to its end."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one answer, one write
    disable_nagle_algorithm = True
    desk: Desk

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # of any method
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        """Nothing is said beside the step's own log."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class could not read as a request."""
        self.desk.unreadable(f"{message or explain or code}")
        self.command = getattr(self, "command", None) or "GET"
        self._explain(int(code), "Unreadable", f"lockage: service {self.desk.name}: this is no request of HTTP: {message}\n")

    def handle_expect_100(self) -> bool:
        """Tell who asked to go on with the body."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def _serve(self) -> None:
        try:
            body = self._body()
        except (_Unreadable, ValueError) as error:
            self.desk.unreadable(f"{self.command} {self.path[:200]}: {error}")
            self._explain(400, "Bad Request", f"lockage: service {self.desk.name}: {error}\n")
            return
        headers = tuple((name, value) for name, value in self.headers.items())
        request = Request.of(self.command, self.path, host=self.headers.get("Host", ""), headers=headers, body=body)
        found = self.desk.ask(request)
        if isinstance(found, Response):
            self._send(found.status, found.reason, found.headers, found.body)
            return
        lines = [f"lockage: service {self.desk.name} has not recorded {request}", *(f"  {reason}" for reason in found.reasons)]
        self._explain(501, "Not Recorded", "\n".join(lines) + "\n", close=False)

    def _explain(self, status: int, reason: str, text: str, *, close: bool = True) -> None:
        self.close_connection = self.close_connection or close
        more = (("Connection", "close"),) if close else ()
        self._send(status, reason, (("Content-Type", "text/plain; charset=utf-8"), *more), text.encode(errors="replace"))

    def _send(self, status: int, reason: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        bare = status in _BARE
        if not bare:
            lines.append(f"Content-Length: {len(body)}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        if not bare and self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _body(self) -> bytes:
        headers = self.headers
        if "chunked" in headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = headers.get("Content-Length", "0").strip()
        if not length.isdigit() or int(length) > _MOST_BYTES:
            raise _Unreadable(f"a body of {length[:20]} bytes; at most {_MOST_BYTES} are read")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        """RFC 9112, 7.1."""
        found = bytearray()
        while size := int(self.rfile.readline(_LINE).partition(b";")[0].strip(), 16):
            if size < 0 or len(found) + size > _MOST_BYTES:
                raise _Unreadable(f"a body of more than {_MOST_BYTES} bytes")
            found += self._exactly(size)
            self.rfile.readline(_LINE)
        while self.rfile.readline(_LINE).strip():  # fields behind the body
            pass
        return bytes(found)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) != size:
            raise _Unreadable(f"a body that ends after {len(data)} of {size} bytes")
        return data
