"""What an echo says of progress is what was said of it."""

import io
import sys

import pytest

from lockage.base.name import ProjectName, StepName
from lockage.cli.echoing import Overheard
from lockage.cli.progress import Progress, end_observers, settle
from lockage.record.event import Event, Phase, Planned, RunRecorded, StepEnded


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def events(steps: int) -> list[Event]:
    names = tuple(StepName(f"s{n}") for n in range(steps))
    return [
        Phase(text="the version is 0"),
        Planned(steps=names, project=ProjectName("shop"), needs={}, jobs=1),
        *(StepEnded(step=name, cached=True, failure=None, wall_ms=5) for name in names),
        RunRecorded(run="run-000001", executed=0, cached=steps, failed=0, skipped=0, repeated=True),
    ]


@pytest.mark.parametrize("steps", [1, 3, 60])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("quiet", [False, True])
def test_the_same_lines_are_printed(steps: int, stream: type[io.StringIO], quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "LOCKAGE_EVENTS", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    printed = stream()
    monkeypatch.setattr(sys, "stderr", printed)
    overheard = Overheard(quiet=quiet)
    progress = Progress(quiet=quiet)
    for event in events(steps):
        progress(event)
    settle()
    end_observers(0, None)
    assert overheard.said() == printed.getvalue()
    assert bool(printed.getvalue()) is not quiet
