"""A line of a given rate before this machine's mirror, on loopback: what a command takes where the network is the slow part."""

from __future__ import annotations

import threading
import time
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.error import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["throttled"]

#: So much goes over the line at once, in bytes.
_PIECE = 32 << 10


class _Line:
    """Lets bytes through at a rate; whoever sends waits until the line has carried them."""

    def __init__(self, megabits: float) -> None:
        self._seconds_per_byte = 8 / (megabits * 1e6)
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def carry(self, size: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size * self._seconds_per_byte
            wait = self._free_at - now
        time.sleep(wait)


@contextmanager
def throttled(base: str, megabits: float) -> Iterator[str]:
    """The base of a mirror that has what ``base`` has, at so many megabits a second over all connections."""
    line = _Line(megabits)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                answer = urllib.request.urlopen(base.rstrip("/") + self.path)
            except HTTPError as error:
                self.send_response(error.code)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            with answer:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Length", answer.headers["Content-Length"])
                self.end_headers()
                while piece := answer.read(_PIECE):
                    line.carry(len(piece))
                    self.wfile.write(piece)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
