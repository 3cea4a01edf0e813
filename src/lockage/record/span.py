"""Spans of OpenTelemetry: a command, the executions of plans in it, their steps, and the attempts at them.

Pure: times and random seeds are arguments. The documents are OTLP's ``ExportTraceServiceRequest`` in its JSON mapping (OTLP
specification 1.x, "JSON Protobuf Encoding"): ids in hex, enumerations as numbers, 64-bit integers as text, unknown fields passed over.
Steps whose results were taken from the cache are counted, as nothing was done for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lockage.base.canonical import plain
from lockage.base.digest import Digest
from lockage.record.event import (
    ArtifactDelivered,
    BlobsLost,
    Fetched,
    HostUsed,
    Phase,
    Planned,
    RunRecorded,
    StepBlocked,
    StepEnded,
    StepQueued,
    StepRetried,
    StepSkipped,
    StepStarted,
    StepUnblocked,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockage.base.name import StepName
    from lockage.record.event import Event

__all__ = ["Spans"]

#: SpanKind.SPAN_KIND_INTERNAL and Status.StatusCode of opentelemetry/proto/trace/v1/trace.proto.
_INTERNAL = 1
_OK, _ERROR = 1, 2
#: Spans in one request: a collector refuses bodies of more than some 20 MiB.
_BATCH = 2000


class _Span(msgspec.Struct):
    """One that may not be over yet; times are nanoseconds since 1970."""

    id: str
    parent: str | None
    name: str
    start: int
    end: int | None = None
    attributes: dict[str, str | int | bool] = {}
    error: str | None = None


class Spans:
    """A fold of events and times. ``trace`` has 32 hex digits; ``seed`` is a word that no other command has, for the ids of spans."""

    def __init__(self, command: str, at: int, *, trace: str, seed: str, parent: str | None = None) -> None:
        self._trace = trace
        self._seed = seed
        self._spans: list[_Span] = []
        self._root = self._begin(command, at, parent)
        self._plan: _Span | None = None
        self._phase: _Span | None = None
        self._steps: dict[StepName, _Span] = {}
        self._attempts: dict[StepName, _Span] = {}
        self._cached = 0

    def told(self, event: Event, at: int) -> None:
        """Take an event in that was told at this time."""
        match event:
            case Phase(text=text):
                self._over(self._phase, at)
                self._phase = self._begin(text, at, self._above.id)
            case Fetched(size=size):
                if self._phase is not None:
                    fetched = self._phase.attributes.get("lockage.fetched_bytes", 0)
                    self._phase.attributes["lockage.fetched_bytes"] = int(fetched) + size
            case Planned():
                self._plan_over(at)
                self._plan = self._begin(f"run {event.project or ''}".rstrip(), at, self._root.id)
                self._plan.attributes |= {"lockage.steps": len(event.steps), "lockage.jobs": event.jobs}
            case StepStarted():
                self._over(self._phase, at)
                self._phase = None
                step = self._steps[event.step] = self._begin(f"step {event.step}", at, self._above.id)
                step.attributes |= {"lockage.step": event.step, **_given(action=event.action, reason=event.reason)}
                self._attempt(event.step, at)
            case StepRetried():
                self._over(self._attempts.get(event.step), at, event.failure)
                self._attempt(event.step, at)
            case StepEnded():
                self._ended(event, at)
            case RunRecorded():
                self._above.attributes["lockage.run"] = event.run
                self._plan_over(at)
            case StepBlocked() | StepSkipped() | BlobsLost() | HostUsed() | ArtifactDelivered():
                self._noted(event)
            case StepQueued() | StepUnblocked():
                pass

    def _noted(self, event: StepBlocked | StepSkipped | BlobsLost | HostUsed | ArtifactDelivered) -> None:
        """Take in what is an attribute of a span that has begun."""
        above = self._above.attributes
        match event:
            case StepBlocked():
                if (step := self._steps.get(event.step)) is not None:
                    step.attributes["lockage.waited_for"] = event.latch
            case StepSkipped():
                above["lockage.steps.skipped"] = int(above.get("lockage.steps.skipped", 0)) + 1
            case BlobsLost():
                above["lockage.blobs.lost"] = int(above.get("lockage.blobs.lost", 0)) + len(event.blobs)
            case HostUsed():
                above[f"lockage.host.{event.environment}"] = event.fingerprint
            case ArtifactDelivered():
                above[f"lockage.artifact.{event.name}"] = event.blob.digest

    def documents(self, exit_code: int, error: str | None, at: int, resource: Mapping[str, str], lockage: str) -> Iterator[dict[str, Any]]:
        """The requests of a command that has ended; what was not over by then ends with it."""
        self._plan_over(at)
        self._over(self._phase, at)
        self._root.attributes["lockage.exit_code"] = exit_code
        for span in self._spans:
            self._over(span, at)
        self._root.error = (error or f"exit code {exit_code}") if exit_code else None
        scope = {"name": "lockage", "version": lockage}
        for begin in range(0, len(self._spans), _BATCH):
            spans = [self._document(span) for span in self._spans[begin : begin + _BATCH]]
            scoped = [{"scope": scope, "spans": spans}]
            yield {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": scoped}]}

    @property
    def _above(self) -> _Span:
        return self._root if self._plan is None else self._plan

    def _begin(self, name: str, at: int, parent: str | None) -> _Span:
        span = _Span(id=Digest.of(f"{self._seed} {len(self._spans)}".encode())[:16], parent=parent, name=name, start=at, attributes={})
        self._spans.append(span)
        return span

    def _over(self, span: _Span | None, at: int, error: str | None = None) -> None:
        if span is not None and span.end is None:
            span.end, span.error = at, error

    def _plan_over(self, at: int) -> None:
        if self._plan is not None:
            self._plan.attributes["lockage.steps.cached"] = self._cached
            self._over(self._plan, at)
        self._plan, self._cached = None, 0

    def _attempt(self, step: StepName, at: int) -> None:
        parent = self._steps.get(step)
        if parent is not None:
            number = 1 + int(parent.attributes.get("lockage.attempts", 0))
            parent.attributes["lockage.attempts"] = number
            self._attempts[step] = self._begin(f"attempt {number}", at, parent.id)

    def _ended(self, event: StepEnded, at: int) -> None:
        self._cached += event.cached
        step = self._steps.pop(event.step, None)
        self._over(self._attempts.pop(event.step, None), at, event.failure)
        if step is None:
            return
        if event.usage is not None:
            step.attributes |= {f"lockage.usage.{name}": value for name, value in plain(event.usage).items() if value is not None}
        self._over(step, at, event.failure)

    def _document(self, span: _Span) -> dict[str, Any]:
        status = {"code": _OK} if span.error is None else {"code": _ERROR, "message": span.error}
        return {
            "traceId": self._trace,
            "spanId": span.id,
            **({"parentSpanId": span.parent} if span.parent else {}),
            "name": span.name,
            "kind": _INTERNAL,
            "startTimeUnixNano": str(span.start),
            "endTimeUnixNano": str(span.end),
            "attributes": _attributes(span.attributes),
            "status": status,
        }


def _given(**values: str | None) -> dict[str, str | int | bool]:
    return {f"lockage.{name}": str(value) for name, value in values.items() if value is not None}


def _attributes(values: Mapping[str, str | int | bool]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
