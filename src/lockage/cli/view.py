"""What a build looks like while it runs: a fold of its events, and the lines that show it at one moment.

Pure: time is an argument (seconds of any steady clock), nothing is printed here. Lines that :meth:`View.told` returns are to
stay on the screen; those of :meth:`View.lines` are drawn again and again below them, and vanish at the end.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, assert_never

from lockage.base.units import human_size, human_time
from lockage.cli.columns import cells, cut
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
    from collections.abc import Mapping

    from lockage.base.digest import Digest
    from lockage.base.name import LatchName, ProjectName, StepName
    from lockage.record.event import Event
    from lockage.record.forecast import Forecast

__all__ = ["Hits", "View", "ended_line", "lost_line", "step_line"]

#: How many running steps are shown each on its line.
_LINES = 8
#: So many of those that are queued are named.
_NAMED = 4
_TURNS = {True: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", False: "|/-\\"}
#: Turns of the wheel a second.
_SPEED = 10
#: A phase shorter than this is not worth its duration, in seconds.
_WORTH = 1.0
#: The hits of a plan with more steps than this are counted.
_FEW = 50


def ended_line(event: StepEnded) -> str:
    """The one line that stays of a step."""
    if event.failure is not None:
        return f"{event.step}: failed{' before, kept' if event.cached else ''} ({event.failure})"
    return f"{event.step}: unchanged" if event.cached else f"{event.step}: done in {human_time(event.wall_ms)}"


def step_line(event: StepRetried | StepSkipped | StepBlocked) -> str:
    """The one line that stays of an attempt that is followed by another, of a step that was not started, or of one that waits."""
    if isinstance(event, StepBlocked):
        return f"{event.step}: waiting for the latch {event.latch}, which another build holds"
    if isinstance(event, StepRetried):
        return f"{event.step}: attempt {event.attempt} of {event.attempts} failed ({event.failure}), running it again"
    return f"{event.step}: not started, as it needs {', '.join(event.failed)}"


def host_line(event: HostUsed) -> str:
    """Loud, as nothing else of such a build is."""
    return (
        f"WARNING: environment {event.environment} is this machine as it is (fingerprint {event.fingerprint[:12]}): nothing of it is "
        "pinned, steps see the host and its network, and no default policy promotes what they make"
    )


def lost_line(event: BlobsLost) -> str:
    """The one line that stays of a loss."""
    first, others = event.blobs[0][:12], len(event.blobs) - 1
    blobs = f"blob {first}" + (f" and {others} others" if others > 1 else " and another" if others else "")
    return f"the store had lost, or held damaged, {blobs} of {event.what}; it is brought back"


class Hits:
    """Steps that were taken from the cache: of a plan with many steps they are counted in one line, as nobody reads ten thousand.

    A command may execute several plans, such as builds and then tests; a step of which it has told already is not told of again.
    """

    def __init__(self) -> None:
        self._counting = False
        self._count = 0
        self._ended: set[tuple[StepName, Digest | None]] = set()

    def planned(self, steps: int) -> None:
        """A plan of so many steps begins."""
        self._counting = steps > _FEW

    def takes(self, event: StepEnded) -> bool:
        """Whether this step has no line of its own: it is counted, or has been told of."""
        hit = event.cached and event.failure is None
        action = (event.step, event.action)
        if hit and action in self._ended:
            return True
        self._ended.add(action)
        self._count += hit and self._counting
        return hit and self._counting

    def told(self) -> list[str]:
        """The line for those that were counted, once."""
        count, self._count = self._count, 0
        return [f"  {count:,} {'step' if count == 1 else 'steps'} unchanged"] if count else []


class View:
    """The state of what is going on; ``began`` is the time of the first event."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._phase: Phase | None = None
        self._since = 0.0
        self._got = 0
        self._first_byte: float | None = None
        self._waiting: dict[StepName, None] = {}
        self._queued: dict[StepName, None] = {}
        self._running: dict[StepName, float] = {}
        self._blocked: dict[StepName, LatchName] = {}
        self._done = self._cached = 0
        self._hits = Hits()
        self._plan: Planned | None = None
        self._forecast: Forecast | None = None

    @property
    def project(self) -> ProjectName | None:
        """The project whose steps run now, if how long they may take has not been told yet."""
        return self._plan.project if self._plan is not None and self._forecast is None and self._running else None

    def expect(self, known: Mapping[StepName, int]) -> None:
        """Say how long steps took before, in milliseconds; nothing about any is allowed."""
        if self._plan is None or not any(step in known for step in self._plan.steps):
            self._plan = None
            return
        from lockage.record.forecast import Forecast  # only where steps run long enough to be looked at

        forecast = Forecast(self._plan.steps, self._plan.needs, self._plan.jobs, known)
        for step in self._plan.steps:
            if step in self._running:
                forecast.started(step, round(self._running[step] * 1000))
            elif step not in self._waiting and step not in self._queued:
                forecast.ended(step)
        self._forecast = forecast

    @property
    def busy(self) -> bool:
        """Whether something goes on that may take a while."""
        return self._phase is not None or bool(self._running) or bool(self._waiting)

    def told(self, event: Event, at: float) -> list[str]:
        """Take an event in; the lines that stay because of it."""
        self._began = at if self._began is None else self._began
        match event:
            case Phase():
                stay = self.settled(at)
                self._phase, self._since, self._got, self._first_byte = event, at, 0, None
                return stay
            case Fetched(size=size):
                self._first_byte = at if self._first_byte is None else self._first_byte
                self._got += size
                return []
            case Planned(steps=steps):
                stay = [*self.settled(at), *self._hits.told()]
                self._hits.planned(len(steps))
                self._plan, self._forecast = event, None
                self._waiting = dict.fromkeys(steps)
                self._queued = {}
                self._since = at
                self._done = self._cached = 0
                return stay
            case StepQueued() | StepBlocked() | StepUnblocked() | ArtifactDelivered():
                self._noted(event)
                return []
            case StepStarted(step=step):
                stay = self.settled(at)
                self._leave(step)
                self._running[step] = at
                if self._forecast is not None:
                    self._forecast.started(step, round(at * 1000))
                return stay
            case StepEnded(step=step, cached=cached):
                stay = self.settled(at)
                self._leave(step)
                self._running.pop(step, None)
                self._blocked.pop(step, None)
                self._done += not cached
                self._cached += cached
                self._over(step)
                return stay if self._hits.takes(event) else [*stay, f"  {ended_line(event)}"]
            case StepRetried(step=step):
                stay = self.settled(at)
                self._running[step] = at
                return [*stay, f"  {step_line(event)}"]
            case StepSkipped(step=step):
                stay = self.settled(at)
                self._leave(step)
                self._over(step)
                return [*stay, f"  {step_line(event)}"]
            case HostUsed() | BlobsLost():
                return [*self.settled(at), f"  {host_line(event) if isinstance(event, HostUsed) else lost_line(event)}"]
            case RunRecorded():
                return self._hits.told()
            case _ as other:
                assert_never(other)

    def _noted(self, event: StepQueued | StepBlocked | StepUnblocked | ArtifactDelivered) -> None:
        """Take in what leaves no line."""
        if isinstance(event, StepQueued):
            self._waiting.pop(event.step, None)
            self._queued[event.step] = None
        elif isinstance(event, StepBlocked):
            self._blocked[event.step] = event.latch
        elif isinstance(event, StepUnblocked):
            self._blocked.pop(event.step, None)

    def _leave(self, step: StepName) -> None:
        """It waits for nothing any more."""
        self._waiting.pop(step, None)
        self._queued.pop(step, None)

    def _over(self, step: StepName) -> None:
        if self._forecast is not None:
            self._forecast.ended(step)

    def closed(self, at: float) -> list[str]:
        """Nothing more comes; the lines that stay."""
        return [*self.settled(at), *self._hits.told()]

    def settled(self, at: float) -> list[str]:
        """End the phase that is under way; the line that stays of it."""
        if self._phase is None:
            return []
        text, took = f"  {self._phase.text}", at - self._since
        self._phase = None
        if took < _WORTH:
            return [text]
        fetched = f"{human_size(self._got)} in " if self._got else ""
        return [f"{text}: {fetched}{human_time(round(took * 1000))}"]

    def lines(self, at: float, width: int, *, unicode: bool = True) -> list[str]:
        """What is shown at a moment, in so many columns."""
        turns = _TURNS[unicode]
        wheel = turns[int(at * _SPEED) % len(turns)]
        shown = []
        if self._phase is not None:
            shown.append(self._row(wheel, self._phase.text, [*self._fetching(at), _since(self._since, at)], width, unicode))
        running = list(self._running.items())
        if not shown and not running and self._waiting:  # its root is being made ready
            shown.append(self._row(wheel, f"{next(iter(self._waiting))}: preparing", [_since(self._since, at)], width, unicode))
        for step, since in running[:_LINES]:
            latch = self._blocked.get(step)
            text = step if latch is None else f"{step}: waiting for the latch {latch}"
            shown.append(self._row(wheel, text, [_since(since, at)], width, unicode))
        if len(running) > _LINES:
            shown.append(cut(f"    and {len(running) - _LINES} more", width, unicode=unicode))
        if self._queued and self._running:
            more = len(self._queued) - _NAMED
            named = ", ".join(islice(self._queued, _NAMED)) + (f" and {more} more" if more > 0 else "")
            shown.append(cut(f"    queued: {named}", width, unicode=unicode))
        if self._running and (len(running) + len(self._queued) + len(self._waiting) + self._done + self._cached) > 1:
            shown.append(self._summary(at, width, unicode))
        return shown

    def _fetching(self, at: float) -> list[str]:
        """How much of it has arrived, and how quickly; the most telling first."""
        assert self._phase is not None
        total = self._phase.total
        if not self._got or self._first_byte is None:
            return [human_size(total)] if total else []
        # What a retry fetched again is counted again, so the sum may be more than was to come.
        amount = human_size(min(self._got, total)) + f" of {human_size(total)}" if total else human_size(self._got)
        took = at - self._first_byte
        return [amount, f"{human_size(round(self._got / took))}/s"] if took >= _WORTH else [amount]

    def _row(self, wheel: str, text: str, facts: list[str], width: int, unicode: bool) -> str:
        """A line with its facts at the right; where that is too wide, first facts go and then the text is cut."""
        while len(facts) > 1 and 4 + cells(text) + 2 + len("  ".join(facts)) > width:
            facts = [facts[0], *facts[2:]]
        right = "  ".join(facts)
        room = width - len(right) - 6
        text = cut(text, max(room, 1), unicode=unicode)
        return cut(f"  {wheel} {text}{' ' * max(room - cells(text), 0)}  {right}", width, unicode=unicode)

    def _summary(self, at: float, width: int, unicode: bool) -> str:
        counts = (
            (len(self._running), "running"),
            (len(self._queued), "queued"),
            (self._done, "done"),
            (self._cached, "unchanged"),
            (len(self._waiting), "waiting"),
        )
        text = (" · " if unicode else ", ").join(f"{count} {what}" for count, what in counts if count)
        facts = [_since(at if self._began is None else self._began, at)]
        if self._forecast is not None:
            facts.append(f"about {human_time(self._forecast.left(round(at * 1000)))} left")
        return self._row(" ", text, facts, width, unicode)


def _since(then: float, at: float) -> str:
    return human_time(round(max(at - then, 0) * 1000))
