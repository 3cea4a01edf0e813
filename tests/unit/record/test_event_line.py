"""Streams of events: what every line has, what is gathered, and that the published schema is that of every line."""

import json
from types import ModuleType

import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import EnvironmentName, LatchName, ProjectName, StepName
from lockage.record.event import (
    ArtifactDelivered,
    BlobsLost,
    Event,
    Fetched,
    HostUsed,
    Phase,
    Planned,
    Reason,
    RunRecorded,
    StepBlocked,
    StepEnded,
    StepQueued,
    StepRetried,
    StepSkipped,
    StepStarted,
    StepUnblocked,
)
from lockage.record.event_line import FORMAT, EventLines, rfc3339, schema
from lockage.record.result import Usage

A, B = StepName("a"), StepName("b")
BLOB = BlobRef.of(b"bytes")
EVENTS: tuple[Event, ...] = (
    Phase(text="fetching", total=10),
    Planned(steps=(A, B), project=ProjectName("shop"), needs={B: (A,)}, jobs=2),
    Planned(steps=(A,)),
    StepQueued(step=A),
    StepStarted(step=A, action=BLOB.digest, reason=Reason.NOT_KEPT),
    StepBlocked(step=A, latch=LatchName("db")),
    StepUnblocked(step=A),
    StepRetried(step=A, attempt=1, attempts=2, failure="exit-code: 1"),
    StepEnded(step=A, cached=False, failure=None, wall_ms=12, log=BLOB, action=BLOB.digest, usage=Usage(wall_ms=12), attempts=2),
    StepEnded(step=B, cached=True, failure="exit-code: 2", wall_ms=0),
    StepSkipped(step=B, failed=(A,)),
    BlobsLost(what="what step a gave", blobs=(BLOB.digest,)),
    HostUsed(environment=EnvironmentName("build"), fingerprint=BLOB.digest),
    ArtifactDelivered(name="shop.whl", blob=BLOB, content_digest=Digest.of(b""), step=A),
    RunRecorded(run="run-000001", executed=1, cached=1),
    Fetched(size=3),
)


def lines(data: bytes) -> list[dict[str, object]]:
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def whole() -> list[dict[str, object]]:
    stream = EventLines("0123456789abcdef")
    data = stream.begin("lockage build", "0.1.0", 1_000)
    for number, event in enumerate(EVENTS):
        data += stream.told(event, 2_000 + number)
    return lines(data + stream.end(9, "step-not-done", 5_000))


def test_every_kind_of_line_is_as_the_schema_says(schemas: ModuleType) -> None:
    published, found = schema(), whole()
    assert {line["type"] for line in found} == {
        kind["properties"]["type"]["enum"][0] for kind in published["$defs"].values() if "type" in kind.get("properties", ())
    }
    for line in found:
        assert list(schemas.faults(line, published)) == []


@pytest.mark.parametrize("key", ["type", "time", "stream", "sequence"])
def test_a_line_without_what_every_line_has_is_none(schemas: ModuleType, key: str) -> None:
    for line in whole():
        del line[key]
        assert list(schemas.faults(line, schema()))


def test_wrong_values_are_no_lines(schemas: ModuleType) -> None:
    ended = next(line for line in whole() if line["type"] == "step-ended")
    wrong: dict[str, object] = {"cached": 1, "wall_ms": "12", "action": "abc", "usage": [], "time": "2026-01-01 00:00", "sequence": -1}
    for key, value in wrong.items():
        assert list(schemas.faults({**ended, key: value}, schema())), key
    assert list(schemas.faults({**ended, "new-field": 1}, schema())) == []


def test_lines_are_numbered_and_the_first_says_the_format() -> None:
    found = whole()
    assert [line["sequence"] for line in found] == list(range(len(found)))
    assert (found[0]["type"], found[0]["format"]) == ("command-begun", FORMAT)
    assert found[-1] == {
        "type": "command-ended",
        "time": "1970-01-01T00:00:05.000Z",
        "stream": "0123456789abcdef",
        "sequence": len(found) - 1,
        "exit_code": 9,
        "error": "step-not-done",
    }


def test_a_phase_ends_when_something_else_begins_and_tells_what_arrived() -> None:
    stream = EventLines("0" * 16)
    assert stream.told(Fetched(size=1), 0) == b""
    stream.told(Phase(text="one"), 0)
    for at in range(100, 900, 100):
        assert stream.told(Fetched(size=10), at) == b""  # gathered
    (first,) = lines(stream.told(Fetched(size=10), 1_000))
    assert (first["type"], first["size"]) == ("fetched", 90)
    stream.told(Fetched(size=5), 1_100)
    kinds = [
        (line["type"], line.get("size"), line.get("wall_ms"), line.get("fetched")) for line in lines(stream.told(Phase(text="two"), 1_500))
    ]
    assert kinds == [("fetched", 5, None, None), ("phase-ended", None, 1_500, 95), ("phase-begun", None, None, None)]
    assert [line["type"] for line in lines(stream.end(0, None, 2_000))] == ["phase-ended", "command-ended"]


def test_times() -> None:
    assert rfc3339(1_764_201_600_007) == "2025-11-27T00:00:00.007Z"
