"""Progress where nothing is drawn: the lines that each event leaves. Pure, as :mod:`lockage.cli.view` is for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lockage.record import event as kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.cli.view import Hits
    from lockage.record.event import Event

__all__ = ["Plain"]


class Plain:
    """Folds events into lines. What it needs of :mod:`lockage.cli.view` is imported when there is a step to tell of."""

    #: What never leaves a line.
    SILENT: ClassVar[frozenset[type]] = frozenset(
        (kinds.StepStarted, kinds.StepQueued, kinds.StepUnblocked, kinds.Fetched, kinds.ArtifactDelivered)
    )

    def __init__(self) -> None:
        self._hits: Hits | None = None
        self._ended_line: Callable[[kinds.StepEnded], str] | None = None

    def told(self, event: Event) -> list[str]:
        """Take an event in; the lines that stay because of it."""
        match event:
            case kinds.StepEnded():  # what is told of every step comes first
                if self._hits is not None and self._hits.takes(event):
                    return []
                if self._ended_line is None:
                    from lockage.cli.view import ended_line

                    self._ended_line = ended_line  # as this is asked thousands of times
                return [f"  {self._ended_line(event)}"]
            case kinds.Phase(text=text):
                return [f"  {text}"]
            case kinds.StepRetried() | kinds.StepSkipped() | kinds.StepBlocked():
                from lockage.cli.view import step_line

                return [f"  {step_line(event)}"]
            case kinds.HostUsed():
                from lockage.cli.view import host_line

                return [f"  {host_line(event)}"]
            case kinds.BlobsLost():
                from lockage.cli.view import lost_line

                return [f"  {lost_line(event)}"]
            case kinds.Planned(steps=steps):
                return self._planned(len(steps))
            case kinds.RunRecorded():
                return self.closed()
            case kinds.StepStarted() | kinds.StepQueued() | kinds.Fetched() | kinds.StepUnblocked() | kinds.ArtifactDelivered():
                return []

    @staticmethod
    def executed(event: Event) -> kinds.StepEnded | None:
        """The event, if it is that a step has ended which was executed and succeeded: of those there may be hundreds in a second."""
        return event if isinstance(event, kinds.StepEnded) and not event.cached and event.failure is None else None

    def _planned(self, steps: int) -> list[str]:
        """A plan of so many steps begins."""
        if self._hits is None:
            from lockage.cli.view import Hits

            self._hits = Hits()
        lines = self._hits.told()
        self._hits.planned(steps)
        return lines

    def closed(self) -> list[str]:
        """Something else is printed next; the line of the steps that were counted and have none of their own."""
        return [] if self._hits is None else self._hits.told()
