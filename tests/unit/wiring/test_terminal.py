"""What a stream is, told from the environment by the conventions that other programs keep."""

import io

import pytest

from lockage.wiring.terminal import Log, Terminal, terminal_of


class Stream(io.TextIOWrapper):
    def __init__(self, *, tty: bool = True, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


XTERM = {"TERM": "xterm", "COLUMNS": "100"}


def test_a_terminal() -> None:
    assert terminal_of(Stream(), XTERM) == Terminal(width=100, colour=True, unicode=True, live=True, log=Log.PLAIN)


def test_a_file_is_plain_and_has_no_width() -> None:
    assert terminal_of(Stream(tty=False), XTERM) == Terminal(width=None, colour=False, unicode=True, live=False)


@pytest.mark.parametrize(
    ("environ", "tty", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": ""}, True, False),
    ],
)
def test_colour(environ: dict[str, str], tty: bool, colour: bool) -> None:
    assert terminal_of(Stream(tty=tty), {**XTERM, **environ}).colour is colour


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "unknown"}, {"GITHUB_ACTIONS": "true"}, {"GITLAB_CI": "true"}])
def test_nothing_is_drawn_where_it_could_not_be_taken_away(environ: dict[str, str]) -> None:
    assert not terminal_of(Stream(), {**XTERM, **environ}).live


@pytest.mark.parametrize(("encoding", "found"), [("utf-8", True), ("ascii", False), ("iso8859-1", False), ("cp1252", False)])
def test_characters_that_a_locale_has_not(encoding: str, found: bool) -> None:
    assert terminal_of(Stream(encoding=encoding), XTERM).unicode is found


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("5", 20), ("0", None), ("x", None), ("", None), ("²", None)])
def test_a_width_that_is_given(columns: str, width: int | None) -> None:
    assert terminal_of(Stream(), {"TERM": "xterm", "COLUMNS": columns}).width == width


@pytest.mark.parametrize(
    ("environ", "log"),
    [({}, Log.PLAIN), ({"CI": "true"}, Log.PLAIN), ({"GITHUB_ACTIONS": "true"}, Log.GITHUB), ({"GITLAB_CI": "true"}, Log.GITLAB)],
)
def test_whose_log_it_is(environ: dict[str, str], log: Log) -> None:
    assert terminal_of(Stream(tty=False), environ).log is log
