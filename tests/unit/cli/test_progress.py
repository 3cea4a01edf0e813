"""Progress where it is plain, where it folds and where it is drawn: on streams that are not what they say."""

import io
import sys
import time

import pytest

from lockage.base.digest import BlobRef
from lockage.base.instant import Instant
from lockage.base.name import StepName
from lockage.cli.live import Painter
from lockage.cli.progress import Progress, settle
from lockage.cli.screen import say
from lockage.cli.view import View
from lockage.record.event import Fetched, Phase, Planned, StepEnded, StepStarted
from lockage.wiring.terminal import Terminal

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
LOG = b"compiling\n::error::not ours\n"
NAME = StepName("wheel")
ENDED = StepEnded(step=NAME, cached=False, failure=None, wall_ms=2345, log=BlobRef.of(LOG))
LIVE = Terminal(width=60, live=True)


class Tty(io.StringIO):
    """A terminal that keeps everything."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def until(self, wanted: str) -> None:
        for _ in range(500):
            if wanted in self.getvalue():
                return
            time.sleep(0.02)
        raise AssertionError(f"{wanted!r} is not in {self.getvalue()!r}")


def terminal(monkeypatch: pytest.MonkeyPatch) -> Tty:
    """Be on a terminal from now on; not a fixture, as pytest puts its own stream in place after those."""
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def attended(*, quiet: bool = False) -> Progress:
    progress = Progress(quiet=quiet)
    progress.attend({BlobRef.of(LOG): LOG, BlobRef.of(b""): b""}.__getitem__, lambda: Instant(1000))
    return progress


def test_on_github_the_output_of_a_step_is_a_group(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tell = attended()
    tell(StepStarted(step=NAME))
    tell(ENDED)
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == ("::group::wheel: done in 2.3 s", "::endgroup::")
    assert lines[1] == f"::stop-commands::{BlobRef.of(LOG).digest}"
    assert "compiling" in lines


def test_on_gitlab_it_is_a_section_with_its_duration(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    attended()(ENDED)
    shown = capsys.readouterr().err
    assert "section_start:998:lockage_wheel" in shown
    assert "section_end:1000:lockage_wheel" in shown


@pytest.mark.parametrize(
    "event",
    [
        StepEnded(step=NAME, cached=True, failure=None, wall_ms=0, log=BlobRef.of(LOG)),
        StepEnded(step=NAME, cached=False, failure=None, wall_ms=0, log=BlobRef.of(b"")),
        StepEnded(step=NAME, cached=False, failure=None, wall_ms=0),
    ],
    ids=["unchanged", "silent", "unknown"],
)
def test_nothing_is_folded_where_there_is_nothing_to_see(
    event: StepEnded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    attended()(event)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_quick_work_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockage.cli.live._PATIENCE", 60.0)  # however slow this machine is at the moment, it is quicker than that
    tty = terminal(monkeypatch)
    tell = Progress(quiet=False)
    tell(Planned(steps=(NAME,)))
    tell(StepStarted(step=NAME))
    tell(ENDED)
    settle()
    assert tty.getvalue() == "  wheel: done in 2.3 s\n"


def test_slow_work_is_drawn_and_taken_away_before_the_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tty = terminal(monkeypatch)
    tell = Progress(quiet=False)
    tell(Phase(text="fetching", total=1 << 20))
    tell(Fetched(size=1 << 19))
    tty.until("512.0 KiB of 1.0 MiB")
    tell(StepStarted(step=NAME))
    tty.until(" wheel")
    tell(ENDED)
    say("the result")
    shown = tty.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    assert shown.rindex(SHOW) > shown.rindex(" wheel")
    assert "  fetching" in shown
    assert capsys.readouterr().out == "the result\n"
    tell(Fetched(size=1))  # from a thread that has not heard of the end
    assert tty.getvalue() == shown


def test_what_a_phase_said_stays_when_it_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = terminal(monkeypatch)
    painter = Painter(View(), LIVE)
    painter.hear(Phase(text="resolving"), time.monotonic())
    tty.until(HIDE)
    painter.close(time.monotonic())
    assert tty.getvalue().rstrip("\n").endswith("  resolving")
    assert not painter.is_alive()


def test_a_quiet_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = terminal(monkeypatch)
    tell = attended(quiet=True)
    tell(Phase(text="resolving"))
    tell(ENDED)
    settle()
    assert tty.getvalue() == ""


def test_a_terminal_that_was_closed_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = terminal(monkeypatch)
    painter = Painter(View(), LIVE)
    painter.hear(Phase(text="resolving"), time.monotonic())
    tty.until(HIDE)

    def gone(text: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(tty, "write", gone)
    painter.join(5)
    assert not painter.is_alive()


def test_ten_thousand_hits_are_one_line_where_it_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    tell = attended()
    names = tuple(StepName(f"s{number}") for number in range(10_000))
    tell(Planned(steps=names))
    for name in names[:-1]:
        tell(StepEnded(step=name, cached=True, failure=None, wall_ms=0))
    tell(StepEnded(step=names[-1], cached=False, failure=None, wall_ms=1000))
    settle()
    settle()
    assert capsys.readouterr().err.splitlines() == [f"  {names[-1]}: done in 1.0 s", "  9,999 steps unchanged"]
