"""A build on a real terminal: what is drawn while it runs, what stays, and what Ctrl-C leaves."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.quick]
environment = "build"
inputs = []
run = "echo quick > quick.txt"
outputs = ["quick.txt"]

[step.slow]
environment = "build"
inputs = []
needs = ["quick"]
run = "sleep {seconds}; echo slow > slow.txt"
outputs = ["slow.txt"]
artifacts = ["slow.txt"]
"""
HIDE, SHOW, ERASE = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"
#: Longer than anything here takes on a machine that has much else to do, in seconds.
PATIENCE = 120.0


class Screen:
    """The program on a terminal of its own, as wide as given; ``text`` is everything it wrote."""

    def __init__(self, store: Store, *arguments: str, columns: int, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {
            k: v for k, v in store.environment().items() if k not in ("CI", "NO_COLOR", "COLUMNS", "GITHUB_ACTIONS", "GITLAB_CI")
        }
        self.process = subprocess.Popen(
            store.command(*arguments),
            cwd=store.work,
            env={**environment, "TERM": "xterm-256color", **variables},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: (signal.signal(signal.SIGINT, signal.SIG_DFL), fcntl.ioctl(0, termios.TIOCSCTTY, 0))[0],
        )
        os.close(theirs)
        self.text = ""

    def until(self, wanted: str) -> None:
        """Read until it wrote this."""
        until = time.monotonic() + PATIENCE
        while wanted not in self.text:
            assert self._more(until), f"it ended without {wanted!r}: {self.text!r}"

    def end(self) -> int:
        """Read to the end; the exit status."""
        until = time.monotonic() + PATIENCE
        while self._more(until):
            pass
        os.close(self._ours)
        return self.process.wait(PATIENCE)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def _more(self, until: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"nothing more came: {self.text!r}"
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # the last who had the terminal open is gone
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    @property
    def stays(self) -> list[str]:
        """The lines that are left, read as a terminal would: what was erased is gone."""
        lines: list[str] = [""]
        at = 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", self.text):
            if part == "\n":
                at += 1
                lines += [""] * (at + 1 - len(lines))
            elif part == ERASE:
                lines[at] = ""
            elif re.fullmatch(r"\x1b\[[0-9]*A", part):
                at -= int(part[2:-1] or 1)
            elif not part.startswith(("\x1b", "\r")):
                lines[at] += part
        return [line.rstrip() for line in lines if line.strip()]


def test_a_build_is_drawn_and_what_stays_is_plain(shop: Store) -> None:
    shop.recipe(STEPS.format(seconds=2))
    screen = Screen(shop, "build", columns=40)
    assert screen.end() == 0, screen.text
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text)
    assert re.search(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] slow +[12]\.\d s", drawn), screen.text
    assert "1 running · 1 done" in drawn
    assert screen.text.count(HIDE) == screen.text.count(SHOW) == 1
    stays = screen.stays
    assert re.fullmatch(r"  quick: done in \d\.\d s", stays[0])
    assert re.fullmatch(r"  slow: done in \d\.\d s", stays[1])
    assert stays[2].startswith("shop 1.2.0 from commit ")
    assert stays[3].endswith("5 B  dist/slow.txt")
    assert len(stays) == 4

    again = Screen(shop, "build", columns=40)
    assert again.end() == 0
    assert "\x1b" not in again.text, "a build with nothing to do draws nothing"


def test_ctrl_c_takes_the_view_away_and_gives_the_cursor_back(shop: Store) -> None:
    shop.recipe(STEPS.format(seconds=600))
    screen = Screen(shop, "build", columns=80)
    screen.until("slow   ")
    screen.type(b"\x03")
    assert screen.end() == 130
    assert screen.text.rindex(SHOW) > screen.text.rindex(HIDE)
    assert screen.stays[-1] == "lockage: interrupted; nothing half-written was left behind"
    assert not any("slow   " in line for line in screen.stays), repr(screen.text[-700:])


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"GITHUB_ACTIONS": "true"}], ids=["dumb", "github"])
def test_where_nothing_can_be_redrawn_there_are_plain_lines(shop: Store, variables: dict[str, str]) -> None:
    shop.recipe(STEPS.format(seconds=1))
    screen = Screen(shop, "build", columns=80, **variables)
    assert screen.end() == 0, screen.text
    assert "\x1b" not in screen.text
    assert [line.partition(":")[0] for line in screen.stays[:2]] == ["  quick", "  slow"]
