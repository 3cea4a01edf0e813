"""Spans of this command for an OpenTelemetry collector, sent once it is over; that they cannot be sent is a warning and no more."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from typing import TYPE_CHECKING

from lockage import __version__
from lockage.record.span import Spans
from lockage.wiring.observed import send_spans

if TYPE_CHECKING:
    from lockage.record.event import Event
    from lockage.wiring.observed import Collector

__all__ = ["SpanSender"]


class SpanSender:
    """Implements :class:`lockage.cli.progress.Observer`."""

    def __init__(self, collector: Collector, command: str) -> None:
        self._collector = collector
        self._lock = threading.Lock()
        self._offset = time.time_ns() - time.monotonic_ns()
        trace, parent = collector.parent or (secrets.token_hex(16), None)
        self._spans = Spans(command, self._now(), trace=trace, seed=secrets.token_hex(16), parent=parent)

    def _now(self) -> int:
        return self._offset + time.monotonic_ns()

    def hear(self, event: Event) -> None:
        """Take an event in, from any thread."""
        with self._lock:
            self._spans.told(event, self._now())

    def end(self, exit_code: int, error: str | None) -> None:
        """Send everything, within the time that the collector is given."""
        resource = {**self._collector.attributes, "service.name": self._collector.service, "service.version": __version__}
        with self._lock:
            documents = list(self._spans.documents(exit_code, error, self._now(), resource, __version__))
        failure = send_spans(self._collector, documents)
        if failure is not None:
            sys.stderr.write(f"lockage: warning: no spans were sent to OpenTelemetry: {failure}\n")
