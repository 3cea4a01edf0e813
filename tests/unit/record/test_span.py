"""Spans as a fold of events, and as OTLP's JSON has them."""

import re
from collections.abc import Iterator
from typing import Any

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import LatchName, ProjectName, StepName
from lockage.record.event import (
    ArtifactDelivered,
    Event,
    Fetched,
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
from lockage.record.result import Usage
from lockage.record.span import Spans

A, B, C = StepName("a"), StepName("b"), StepName("c")
DIGEST = Digest.of(b"action")
EVENTS: tuple[Event, ...] = (
    Phase(text="fetching 2 OS packages"),
    Fetched(size=5),
    Fetched(size=7),
    Planned(steps=(A, B, C), project=ProjectName("shop"), jobs=2),
    StepEnded(step=B, cached=True, failure=None, wall_ms=9),
    StepStarted(step=A, action=DIGEST, reason=Reason.NOT_KEPT),
    StepRetried(step=A, attempt=1, attempts=2, failure="exit-code: 1"),
    StepEnded(step=A, cached=False, failure="timeout: too long", wall_ms=9, usage=Usage(wall_ms=9, user_ms=4), attempts=2),
    StepSkipped(step=C, failed=(A,)),
    ArtifactDelivered(name="shop.whl", blob=BlobRef.of(b"x"), content_digest=DIGEST, step=B),
    RunRecorded(run="run-000001", executed=1, cached=1, failed=1, skipped=1),
)
SECOND = 1_000_000_000


def documents(parent: str | None = None, events: tuple[Event, ...] = EVENTS) -> list[dict[str, Any]]:
    spans = Spans("lockage build", SECOND, trace="ab" * 16, seed="seed", parent=parent)
    for number, event in enumerate(events, 2):
        spans.told(event, number * SECOND)
    return list(spans.documents(9, "step-not-done", 99 * SECOND, {"service.name": "ci"}, "0.1.0"))


def spans_in(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in found:
        for resource in document["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_command_has_phases_and_runs_with_steps_and_attempts_below() -> None:
    found = {span["name"]: span for span in spans_in(documents())}
    by_id = {span["spanId"]: span["name"] for span in found.values()}
    assert {name: by_id.get(span.get("parentSpanId")) for name, span in found.items()} == {
        "lockage build": None,
        "fetching 2 OS packages": "lockage build",
        "run shop": "lockage build",
        "step a": "run shop",
        "attempt 1": "step a",
        "attempt 2": "step a",
    }
    times = {name: (int(span["startTimeUnixNano"]) // SECOND, int(span["endTimeUnixNano"]) // SECOND) for name, span in found.items()}
    assert times == {
        "lockage build": (1, 99),
        "fetching 2 OS packages": (2, 7),
        "run shop": (5, 12),
        "step a": (7, 9),
        "attempt 1": (7, 8),
        "attempt 2": (8, 9),
    }
    assert attributes(found["fetching 2 OS packages"]) == {"lockage.fetched_bytes": "12"}
    run = attributes(found["run shop"])
    assert (run["lockage.run"], run["lockage.steps"], run["lockage.steps.cached"], run["lockage.steps.skipped"]) == (
        "run-000001",
        "3",
        "1",
        "1",
    )
    step = attributes(found["step a"])
    assert (step["lockage.action"], step["lockage.reason"], step["lockage.usage.user_ms"], step["lockage.attempts"]) == (
        DIGEST,
        "not-kept",
        "4",
        "2",
    )
    assert found["step a"]["status"] == {"code": 2, "message": "timeout: too long"}
    assert found["lockage build"]["status"] == {"code": 2, "message": "step-not-done"}
    assert found["fetching 2 OS packages"]["status"] == {"code": 1}


def test_the_json_is_as_otlp_has_it() -> None:
    """opentelemetry.io, "OTLP Specification": ids are hex text, 64-bit integers decimal text, enumerations numbers."""
    (document,) = documents()
    (resource,) = document["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "ci"}}]
    (scoped,) = resource["scopeSpans"]
    assert scoped["scope"] == {"name": "lockage", "version": "0.1.0"}
    ids = [span["spanId"] for span in scoped["spans"]]
    assert len(set(ids)) == len(ids)
    for span in scoped["spans"]:
        assert re.fullmatch("(?:ab){16}", span["traceId"])
        assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
        assert "parentSpanId" not in span or span["parentSpanId"] in ids
        assert span["kind"] == 1
        assert span["startTimeUnixNano"].isdecimal()
        assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
        for one in span["attributes"]:
            ((kind, value),) = one["value"].items()
            assert {"stringValue": str, "intValue": str, "boolValue": bool}[kind] is type(value)


def test_the_command_is_below_the_span_that_it_was_given() -> None:
    roots = [span for span in spans_in(documents(parent="12" * 8)) if span["name"] == "lockage build"]
    assert [span["parentSpanId"] for span in roots] == ["12" * 8]


def test_what_a_command_that_was_killed_had_begun_ends_with_it() -> None:
    found = {span["name"]: span for span in spans_in(documents(events=EVENTS[:6]))}
    assert found["attempt 1"]["endTimeUnixNano"] == str(99 * SECOND)


def test_many_spans_are_several_requests() -> None:
    names = tuple(StepName(f"s{number}") for number in range(3000))
    events: list[Event] = [Planned(steps=names)]
    for name in names:
        events += [StepStarted(step=name), StepEnded(step=name, cached=False, failure=None, wall_ms=1)]
    found = documents(events=tuple(events))
    assert len(found) == 4
    assert sum(1 for _ in spans_in(found)) == 2 + 2 * 3000


def test_what_a_step_waited_for_is_an_attribute_of_it() -> None:
    waits = (StepQueued(step=A), EVENTS[5], StepBlocked(step=B, latch=LatchName("other")), StepBlocked(step=A, latch=LatchName("db")))
    found = {span["name"]: attributes(span) for span in spans_in(documents(events=(EVENTS[3], *waits, StepUnblocked(step=A), *EVENTS[7:])))}
    assert found["step a"]["lockage.waited_for"] == "db"
    assert sorted(found) == ["attempt 1", "lockage build", "run shop", "step a"]
