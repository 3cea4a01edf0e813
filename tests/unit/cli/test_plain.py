"""The lines that stay of what is told, where nothing is drawn."""

from lockage.base.digest import Digest
from lockage.base.name import ProjectName, StepName
from lockage.cli.plain import Plain
from lockage.record.event import BlobsLost, Event, Fetched, Phase, Planned, RunRecorded, StepEnded, StepStarted


def told(*events: Event) -> list[str]:
    plain = Plain()
    return [line for event in events for line in plain.told(event)] + plain.closed()


def planned(steps: int) -> Planned:
    return Planned(steps=tuple(StepName(f"s{n}") for n in range(steps)), project=ProjectName("shop"), needs={}, jobs=1)


def ended(step: str, *, cached: bool = True, failure: str | None = None) -> StepEnded:
    return StepEnded(step=StepName(step), cached=cached, failure=failure, wall_ms=1500)


DONE = RunRecorded(run="run-000001", executed=0, cached=2, failed=0, skipped=0, repeated=True)


def test_each_step_of_a_few_has_its_line() -> None:
    assert told(planned(2), ended("s0"), StepStarted(step=StepName("s1")), ended("s1", cached=False), DONE) == [
        "  s0: unchanged",
        "  s1: done in 1.5 s",
    ]


def test_hits_of_many_are_counted_once_and_failures_are_not() -> None:
    assert told(planned(60), *(ended(f"s{n}") for n in range(59)), ended("s59", failure="exit-code: 1"), DONE) == [
        "  s59: failed before, kept (exit-code: 1)",
        "  59 steps unchanged",
    ]


def test_what_was_counted_before_another_plan_is_told_then() -> None:
    assert told(planned(60), ended("s0"), planned(2), ended("s1")) == ["  1 step unchanged", "  s1: unchanged"]


def test_phases_and_losses_have_lines_and_bytes_have_none() -> None:
    lost = BlobsLost(what="the source", blobs=(Digest.of(b"x"),))
    assert told(Phase(text="reading"), Fetched(size=7), lost) == [
        "  reading",
        f"  the store had lost, or held damaged, blob {Digest.of(b'x')[:12]} of the source; it is brought back",
    ]
