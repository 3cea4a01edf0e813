"""What decided how long a run took, and what is expected of the next."""

from itertools import pairwise

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName, Version
from lockage.record.artifact import Attempt, Run, StepRun
from lockage.record.history import began, critical_path, wall_times
from lockage.record.result import Usage
from lockage.record.source import DirectoryOrigin, Source
from lockage.record.trace import trace_document

EMPTY = BlobRef.of(b"")


def step(name: str, times: tuple[int, int] | None, *, cached: bool = False, failure: str | None = None, attempts: int = 0) -> StepRun:
    start, end = times or (None, None)
    tried = tuple(
        Attempt(failure="exit-code: 1", log=EMPTY, usage=Usage(), started_ms=number * 10, finished_ms=number * 10 + 10)
        for number in range(attempts)
    )
    return StepRun(
        step=StepName(name),
        action=BlobRef.of(name.encode()),
        exit_code=0,
        cached=cached,
        outputs=EMPTY,
        log=EMPTY,
        usage=Usage(wall_ms=(end or 0) - (start or 0)),
        failure=failure,
        attempts=tried,
        started_ms=start,
        finished_ms=end,
    )


def run(*steps: StepRun) -> Run:
    source = Source(tree=EMPTY, date=Instant(0), version=Version("1.0"), origin=DirectoryOrigin(reason="none"))
    digest = Digest.of(b"")
    return Run(
        project=ProjectName("shop"),
        source=source,
        recipe=digest,
        lock=digest,
        started=Instant(0),
        finished=Instant(9),
        steps=steps,
        artifacts=(),
    )


NEEDS = {StepName("kept"): (StepName("a"),), StepName("c"): (StepName("a"), StepName("b")), StepName("d"): (StepName("c"),)}
STEPS = (step("a", (0, 40)), step("b", (0, 90)), step("kept", None, cached=True), step("c", (90, 200)), step("d", (201, 300), attempts=2))


def test_the_path_goes_back_along_what_ended_last() -> None:
    assert critical_path(STEPS, NEEDS) == ("b", "c", "d")
    assert critical_path(STEPS, {}) == ("d",)
    assert critical_path((*STEPS, step("late", (0, 900))), NEEDS) == ("late",)


def test_there_is_none_where_nothing_was_executed_or_no_time_recorded() -> None:
    assert critical_path((step("a", None, cached=True), step("b", None)), NEEDS) == ()


def test_a_step_begins_with_its_first_attempt() -> None:
    assert (began(STEPS[4]), began(STEPS[0]), began(step("x", None))) == (0, 0, None)


def test_the_newest_success_counts() -> None:
    newest = run(step("a", (0, 70), failure="exit-code: 1"), step("b", (0, 3)))
    assert wall_times([newest, run(*STEPS), run(step("e", (0, 1)))]) == {"a": 40, "b": 3, "kept": 0, "c": 110, "d": 99, "e": 1}


def test_the_trace_has_lanes_attempts_and_the_path() -> None:
    document = trace_document(run(*STEPS), "run-000001", NEEDS)
    events = document["traceEvents"]
    slices = {event["name"]: event for event in events if event["ph"] == "X" and event["cat"].startswith("step")}
    assert {name: (event["ts"], event["dur"], event["tid"]) for name, event in slices.items()} == {
        "a": (0, 40_000, 1),
        "b": (0, 90_000, 2),
        "c": (90_000, 110_000, 1),
        "d": (0, 300_000, 3),  # from its first attempt on
    }
    assert [name for name, event in slices.items() if "critical" in event["cat"].split(",")] == ["b", "c", "d"]
    assert [(event["name"], event["ts"]) for event in events if event.get("cat") == "attempt"] == [
        ("attempt 1", 0),
        ("attempt 2", 10_000),
        ("attempt 3", 201_000),
    ]
    (kept,) = [event for event in events if event["ph"] == "i"]
    assert (kept["name"], kept["ts"], kept["s"], kept["tid"]) == ("kept", 40_000, "t", 0)
    assert slices["a"]["args"]["action"] == BlobRef.of(b"a").digest


def test_the_trace_is_of_the_format() -> None:
    """Trace Event Format: every event has a phase, a process and a lane; all but metadata a time; flows come in pairs within slices."""
    events = trace_document(run(*STEPS), "run-000001", NEEDS)["traceEvents"]
    for event in events:
        assert event["ph"] in {"M", "X", "i", "s", "f"}
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert (event["ph"] == "M") or (isinstance(event["ts"], int) and isinstance(event["cat"], str))
        assert event["ph"] != "X" or event["dur"] >= 0
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert {event["tid"] for event in events} == named
    slices = [event for event in events if event["ph"] == "X"]
    flows = [event for event in events if event["ph"] in "sf"]
    assert [event["ph"] for event in flows] == ["s", "f"] * 2
    assert [event["id"] for event in flows] == [1, 1, 2, 2]
    for event in flows:
        assert any(one["tid"] == event["tid"] and one["ts"] <= event["ts"] < one["ts"] + one["dur"] for one in slices)


def test_steps_in_one_lane_do_not_overlap() -> None:
    steps = [step(f"s{number}", (number * 7 % 50, number * 7 % 50 + number % 11 + 1)) for number in range(60)]
    events = trace_document(run(*steps), "run-000001", {})["traceEvents"]
    lanes: dict[int, list[tuple[int, int]]] = {}
    for event in events:
        if event["ph"] == "X":
            lanes.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    for found in lanes.values():
        found.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_a_run_of_old_has_names_only() -> None:
    events = trace_document(run(step("a", None), step("b", None, cached=True)), "run-000001", {})["traceEvents"]
    assert {event["ph"] for event in events} == {"M"}
