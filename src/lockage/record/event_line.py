"""A stream of events: one JSON object a line, with its time and number; published as docs/formats/events.schema.json.

Pure: time is an argument, nothing is written here. Within version 1 types and fields are only ever added; a reader passes over
those that it does not know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from lockage.base.canonical import plain
from lockage.base.digest import Digest
from lockage.record.event import Event, Fetched, Phase, Planned, StepStarted

__all__ = ["FORMAT", "CommandBegun", "CommandEnded", "EventLines", "PhaseEnded", "rfc3339", "schema"]

FORMAT: Literal["lockage-events/1"] = "lockage-events/1"
#: Bytes that arrive are told together, so often at most, in milliseconds.
_GATHERED = 1000


class CommandBegun(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="command-begun"):
    """The first line of a stream: what was asked for, and which lockage writes it."""

    format: Literal["lockage-events/1"] = FORMAT
    command: str
    lockage: str


class PhaseEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="phase-ended"):
    """A phase is over; ``fetched`` is how many bytes arrived in it, those of retries included."""

    text: str
    wall_ms: int
    fetched: int


class CommandEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="command-ended", omit_defaults=True):
    """The last line of a whole stream: the exit code of docs/errors.md, and the code of the error if there is one."""

    exit_code: int
    error: str | None = None


class EventLines:
    """What is told of one command, as lines. ``stream`` is a word that no other command's stream has; times are milliseconds since 1970."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._sequence = 0
        self._phase: Phase | None = None
        self._since = 0
        self._fetched = 0
        self._untold = 0
        self._told_at = 0

    def begin(self, command: str, lockage: str, at: int) -> bytes:
        """The first line."""
        self._told_at = at
        return self._line(CommandBegun(command=command, lockage=lockage), at)

    def told(self, event: Event, at: int) -> bytes:
        """The lines that follow from an event; none for bytes that are told together with those that come."""
        if isinstance(event, Fetched):
            self._fetched += event.size
            self._untold += event.size
            return self._arrived(at) if at - self._told_at >= _GATHERED else b""
        lines = self._arrived(at)
        if isinstance(event, Phase | Planned | StepStarted):
            lines += self._phase_over(at)
        if isinstance(event, Phase):
            self._phase, self._since, self._fetched = event, at, 0
        return lines + self._line(event, at)

    def end(self, exit_code: int, error: str | None, at: int) -> bytes:
        """The last lines."""
        return self._arrived(at) + self._phase_over(at) + self._line(CommandEnded(exit_code=exit_code, error=error), at)

    def _arrived(self, at: int) -> bytes:
        size, self._untold = self._untold, 0
        if not size:
            return b""
        self._told_at = at
        return self._line(Fetched(size=size), at)

    def _phase_over(self, at: int) -> bytes:
        phase, self._phase = self._phase, None
        if phase is None:
            return b""
        return self._line(PhaseEnded(text=phase.text, wall_ms=at - self._since, fetched=self._fetched), at)

    def _line(self, event: Event | CommandBegun | PhaseEnded | CommandEnded, at: int) -> bytes:
        body = plain(event)
        head = {"type": body.pop("type"), "time": rfc3339(at), "stream": self._stream, "sequence": self._sequence}
        self._sequence += 1
        return msgspec.json.encode(head | body) + b"\n"


def rfc3339(at: int) -> str:
    """Milliseconds since 1970 as ``2026-11-23T20:00:00.123Z``."""
    return datetime.fromtimestamp(at // 1000, UTC).isoformat()[:19] + f".{at % 1000:03}Z"


_HEAD: dict[str, Any] = {  # Any: a JSON Schema
    "time": {
        "description": "When it was told, RFC 3339 in UTC with milliseconds; within a stream it never goes back.",
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
    },
    "stream": {"description": "The same on all lines of one command, and on no others.", "type": "string", "pattern": "^[0-9a-f]{16}$"},
    "sequence": {"description": "Counts the lines of a stream from 0.", "type": "integer", "minimum": 0},
}


def schema() -> dict[str, Any]:  # Any: a JSON Schema
    """The JSON Schema (draft 2020-12) of a line, made from the types of this module and of :mod:`lockage.record.event`."""
    (whole,), components = msgspec.json.schema_components(
        [Event | CommandBegun | PhaseEnded | CommandEnded], schema_hook=_text, ref_template="#/$defs/{name}"
    )
    lines = {reference["$ref"].rpartition("/")[2] for reference in whole["anyOf"]}
    for name, component in components.items():
        component.pop("additionalProperties", None)  # fields may be added
        if name in lines:
            component["properties"] = {"type": component["properties"].pop("type"), **_HEAD, **component["properties"]}
            component["required"] = ["type", *_HEAD, *(field for field in component["required"] if field != "type")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FORMAT,
        "description": "One line of a stream of events. Types and fields may be added; pass over those that you do not know.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in sorted(lines)],
        "$defs": dict(sorted(components.items())),
    }


def _text(kind: type) -> dict[str, Any]:  # Any: a JSON Schema
    """How our own types are written: as text."""
    return {"type": "string", "pattern": "^[0-9a-f]{64}$"} if issubclass(kind, Digest) else {"type": "string"}
