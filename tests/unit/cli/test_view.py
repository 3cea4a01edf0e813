"""The live view as a model: what stays of events, and what is drawn at a moment, in 40, 80 and 120 columns."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.digest import Digest
from lockage.base.name import LatchName, ProjectName, StepName
from lockage.cli.columns import cells
from lockage.cli.view import View
from lockage.record.event import (
    Event,
    Fetched,
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

MIB = 1 << 20
FETCHING = Phase(text="environment build: fetching 144 OS packages", total=98 * MIB)


def step(name: str) -> StepName:
    return StepName(name)


def ended(name: str, *, cached: bool = False, failure: str | None = None, wall_ms: int = 1234) -> StepEnded:
    return StepEnded(step=step(name), cached=cached, failure=failure, wall_ms=wall_ms)


def fetching() -> View:
    view = View()
    view.told(FETCHING, 100.0)
    view.told(Fetched(size=10 * MIB), 101.0)
    view.told(Fetched(size=31 * MIB), 105.0)
    return view


def building() -> View:
    view = View()
    view.told(Planned(steps=tuple(map(step, ("docs", "wheel", "a-step-with-a-name-that-is-longer-than-it-has-to-be", "late")))), 0.0)
    view.told(ended("docs", cached=True), 0.0)
    view.told(StepStarted(step=step("wheel")), 1.0)
    view.told(StepStarted(step=step("a-step-with-a-name-that-is-longer-than-it-has-to-be")), 60.0)
    return view


GOLDEN = {
    40: """\
  ⠋ environment b…  41.0 MiB of 98.0 MiB
--
  ⠋ wheel                     1 min 22 s
  ⠋ a-step-with-a-name-that-is-…  23.0 s
    2 running · 1 unchanged…  1 min 23 s""",
    80: """\
  ⠋ environment build: fetching 144 OS packages      41.0 MiB of 98.0 MiB  6.0 s
--
  ⠋ wheel                                                             1 min 22 s
  ⠋ a-step-with-a-name-that-is-longer-than-it-has-to-be                   23.0 s
    2 running · 1 unchanged · 1 waiting                               1 min 23 s""",
    120: """\
  ⠋ environment build: fetching 144 OS packages                                   41.0 MiB of 98.0 MiB  8.2 MiB/s  6.0 s
--
  ⠋ wheel                                                                                                     1 min 22 s
  ⠋ a-step-with-a-name-that-is-longer-than-it-has-to-be                                                           23.0 s
    2 running · 1 unchanged · 1 waiting                                                                       1 min 23 s""",
}


@pytest.mark.parametrize("width", GOLDEN)
def test_what_is_drawn(width: int) -> None:
    assert "\n".join([*fetching().lines(106.0, width), "--", *building().lines(83.0, width)]) == GOLDEN[width]


def test_ascii_where_the_locale_has_no_more() -> None:
    for lines in (fetching().lines(106.05, 40, unicode=False), building().lines(83.05, 40, unicode=False)):
        assert "\n".join(lines).isascii()
    assert building().lines(83.0, 40, unicode=False)[2] == "    2 running, 1 unchange...  1 min 23 s"


def test_the_wheel_turns() -> None:
    view = building()
    assert len({view.lines(83 + tenth / 10, 80)[0][2] for tenth in range(10)}) == 10


def test_what_a_retry_fetched_again_is_not_more_than_there_is() -> None:
    view = fetching()
    view.told(Fetched(size=200 * MIB), 107.0)
    assert "98.0 MiB of 98.0 MiB" in view.lines(108.0, 100)[0]


def test_before_the_first_byte_it_says_how_much_there_will_be() -> None:
    view = View()
    view.told(FETCHING, 0.0)
    assert view.lines(0.5, 80) == ["  ⠴ environment build: fetching 144 OS packages                  98.0 MiB  0.5 s"]


def test_a_step_that_waits_for_its_root_is_being_prepared() -> None:
    view = View()
    view.told(Planned(steps=(step("wheel"), step("docs"))), 0.0)
    assert view.busy
    assert view.lines(3.0, 60) == ["  ⠋ wheel: preparing                                   3.0 s"]


def test_many_steps_are_not_more_lines_than_a_screen_has() -> None:
    view = View()
    for number in range(50):
        view.told(StepStarted(step=step(f"step-{number}")), 0.0)
    lines = view.lines(1.0, 80)
    assert len(lines) == 10
    assert lines[8].strip() == "and 42 more"


def test_lines_that_stay() -> None:
    view = View()
    assert view.told(Phase(text="resolving"), 0.0) == []
    assert view.told(FETCHING, 0.9) == ["  resolving"]
    view.told(Fetched(size=98 * MIB), 10.0)
    assert view.told(Planned(steps=(step("a"), step("b"), step("c"))), 13.4) == [
        "  environment build: fetching 144 OS packages: 98.0 MiB in 12.5 s"
    ]
    assert view.told(StepStarted(step=step("a")), 14.0) == []
    assert view.told(ended("a"), 15.0) == ["  a: done in 1.2 s"]
    assert view.told(ended("b", cached=True), 15.0) == ["  b: unchanged"]
    assert view.busy
    assert view.told(ended("c", failure="exit-code: the command exited with 3"), 16.0) == [
        "  c: failed (exit-code: the command exited with 3)"
    ]
    assert not view.busy
    assert view.lines(17.0, 80) == []
    assert view.settled(17.0) == []


EVENTS = st.one_of(
    st.builds(Phase, text=st.text(max_size=60), total=st.none() | st.integers(0, 1 << 40)),
    st.builds(Fetched, size=st.integers(0, 1 << 40)),
    st.builds(Planned, steps=st.lists(st.sampled_from("abc").map(StepName)).map(tuple)),
    st.builds(StepStarted, step=st.sampled_from("abc").map(StepName)),
    st.builds(StepEnded, step=st.sampled_from("abc").map(StepName), cached=st.booleans(), failure=st.none(), wall_ms=st.integers(0, 10**9)),
    st.builds(
        StepRetried, step=st.sampled_from("abc").map(StepName), attempt=st.just(1), attempts=st.just(2), failure=st.just("timeout: x")
    ),
    st.builds(StepQueued, step=st.sampled_from("abc").map(StepName)),
    st.builds(StepBlocked, step=st.sampled_from("abc").map(StepName), latch=st.just(LatchName("db"))),
    st.builds(StepUnblocked, step=st.sampled_from("abc").map(StepName)),
    st.builds(StepSkipped, step=st.sampled_from("abc").map(StepName), failed=st.just((StepName("d"),))),
)


@given(st.lists(EVENTS, max_size=12), st.integers(10, 130), st.booleans())
def test_any_events_in_any_order_are_drawn_within_the_width(events: list[Event], width: int, unicode: bool) -> None:
    view = View()
    for number, event in enumerate(events):
        view.told(event, float(number * 40))
        for line in view.lines(number * 40 + 20.0, width, unicode=unicode):
            assert cells(line) <= width


def test_what_is_left_is_told_once_it_is_known_how_long_steps_took() -> None:
    view = View()
    names = tuple(map(step, ("a", "b", "c")))
    view.told(Planned(steps=names, project=ProjectName("shop"), needs={names[1]: (names[0],)}, jobs=2), 10.0)
    assert view.project is None  # nothing is executed yet
    view.told(StepStarted(step=names[0]), 10.0)
    assert view.project == "shop"
    view.expect({names[0]: 60_000, names[1]: 30_000, names[2]: 5_000})
    assert view.project is None
    assert view.lines(20.0, 80)[-1] == "    1 running · 2 waiting" + "10.0 s  about 1 min 20 s left".rjust(80 - 25)
    assert "left" not in view.lines(20.0, 40)[-1]
    view.told(ended("a"), 30.0)
    view.told(StepStarted(step=names[1]), 30.0)
    view.told(ended("c", cached=True), 30.0)
    assert view.lines(40.0, 80)[-1].endswith("about 20.0 s left")


def test_what_is_queued_and_what_waits_for_another_build_is_shown() -> None:
    view = View()
    names = tuple(step(f"s{number}") for number in range(9))
    view.told(Planned(steps=names, project=ProjectName("shop"), jobs=2), 0.0)
    view.told(StepStarted(step=names[0]), 0.0)
    for name in names[1:8]:
        assert view.told(StepQueued(step=name), 0.0) == []
    assert view.told(StepBlocked(step=names[0], latch=LatchName("db")), 0.0) == []
    row, queue, summary = view.lines(1.0, 80, unicode=False)
    assert "s0: waiting for the latch db" in row
    assert queue == "    queued: s1, s2, s3, s4 and 3 more"
    assert summary.startswith("    1 running, 7 queued, 1 waiting")
    view.told(StepUnblocked(step=names[0]), 1.0)
    view.expect(dict.fromkeys(names, 1_000))
    for name in names[1:8]:
        view.told(StepStarted(step=name), 1.0)
    lines = view.lines(1.0, 80, unicode=False)
    assert not any("latch" in line or "queued" in line for line in lines)
    for name in names:
        view.told(ended(name), 2.0)
    assert not view.busy


def test_without_history_nothing_is_foretold() -> None:
    view = building()
    view.expect({step("another"): 5})
    assert view.project is None
    assert not any("left" in line for line in view.lines(83.0, 120))


def test_the_hits_of_a_large_plan_are_one_line() -> None:
    view = View()
    names = tuple(step(f"s{number}") for number in range(10_000))
    view.told(Planned(steps=names), 0.0)
    said = [line for name in names[:-2] for line in view.told(ended(name, cached=True), 1.0)]
    assert said == []
    assert view.told(ended(names[-2]), 2.0) == [f"  {names[-2]}: done in 1.2 s"]
    assert view.told(ended(names[-1], cached=True, failure="exit-code: 3"), 2.0) == [f"  {names[-1]}: failed before, kept (exit-code: 3)"]
    assert view.told(RunRecorded(run="run-000001", executed=1, cached=9999), 3.0) == ["  9,998 steps unchanged"]
    assert view.closed(4.0) == []


def test_what_a_view_shows_does_not_grow_with_the_plan() -> None:
    view = View()
    names = tuple(step(f"s{number}") for number in range(10_000))
    view.told(Planned(steps=names, project=ProjectName("shop"), jobs=100), 0.0)
    for name in names[:100]:
        view.told(StepStarted(step=name), 0.0)
    view.expect(dict.fromkeys(names, 1_000))
    assert len(view.lines(1.0, 80)) == 10


def test_a_step_is_told_of_once_though_two_plans_of_a_command_have_it() -> None:
    view = View()
    first, second = (StepEnded(step=StepName("a"), cached=True, failure=None, wall_ms=1, action=Digest.of(text)) for text in (b"1", b"2"))
    done = StepEnded(step=StepName("b"), cached=False, failure=None, wall_ms=1000, action=Digest.of(b"b"))
    plan = Planned(steps=(StepName("a"), StepName("b")), project=ProjectName("shop"))
    view.told(plan, 1.0)
    assert view.told(first, 1.0) == ["  a: unchanged"]
    assert view.told(done, 2.0) == ["  b: done in 1.0 s"]
    view.told(plan, 3.0)
    assert view.told(first, 3.0) == []
    assert view.told(msgspec.structs.replace(done, cached=True), 3.0) == []
    assert view.told(second, 3.0) == ["  a: unchanged"]
    assert view.told(msgspec.structs.replace(second, failure="exit-code: 1"), 3.0) == ["  a: failed before, kept (exit-code: 1)"]
