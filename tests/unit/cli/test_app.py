"""The program in this process: every command explains itself, and every way to fail ends in a text and an exit code."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from lockage import __version__
from lockage.base.errors import ExitCode, Fault, LockageError, Refused
from lockage.base.name import LatchName, StepName
from lockage.cli import app
from lockage.cli.app import COMMANDS, program, run
from lockage.cli.screen import Progress, human_size, print_json, settle, short, show_error, table
from lockage.record.event import (
    Phase,
    StepBlocked,
    StepEnded,
    StepQueued,
    StepRetried,
    StepSkipped,
    StepStarted,
    StepUnblocked,
)
from lockage.wiring import Wiring

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store and keys of its own, an empty place to stand in, and the handler of SIGTERM as it was."""
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("LOCKAGE_KEYS", str(tmp_path / "keys"))
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and subcommand."""
    context = click.Context(program)
    for name in COMMANDS:
        yield (name,)
        command = program.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((name, below) for below in command.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_module_of_its_name(name: str) -> None:
    command = import_module(f"lockage.cli.{name.replace('-', '_')}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str()


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(words: tuple[str, ...], flag: str, capsys: Output) -> None:
    assert run([*words, flag]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"Usage: lockage {' '.join(words)} ")
    assert shown.err == ""
    assert len(shown.out.splitlines()) > 4
    assert all(len(line) <= 100 for line in shown.out.splitlines())


def test_every_option_says_what_it_does() -> None:
    context = click.Context(program)
    for words in commands():
        command: click.Command | None = program.get_command(context, words[0])
        if len(words) == 2:
            assert isinstance(command, click.Group)
            command = command.commands[words[1]]
        assert command is not None
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (words, option.name)


def test_the_whole_program_lists_its_commands(capsys: Output) -> None:
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.partition("Commands:\n")[2].splitlines()] == list(COMMANDS)


def test_the_version(capsys: Output) -> None:
    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["biuld"], "no command 'biuld'; did you mean 'build'?"),
        (["xyzzy"], "no command 'xyzzy'. `lockage --help` lists them."),
        (["--colour"], "--colour"),
        (["build", "--colour"], "--colour"),
        (["build", "a", "b"], "b"),
        (["build", "--jobs", "0"], "--jobs"),
        (["build", "--lock", "nowhere"], "nowhere"),
        (["promote", "shop"], "--to"),
        (["promote", "shop", "--to", "dev", "--expect", "-1"], "--expect"),
        (["pull", "dev"], "--into"),
        (["ledger", "xyzzy"], "xyzzy"),
        (["build", ""], ""),
        (["verify", "--axes", "weather"], "weather"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_understood_exits_with_2_and_says_where_to_look(arguments: list[str], says: str, capsys: Output) -> None:
    assert run(arguments) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error[")
    assert says in shown.err
    assert "\nhint: " in shown.err
    assert "Traceback" not in shown.err


def test_an_error_is_one_json_document_too(capsys: Output) -> None:
    assert run(["status", "--json"]) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["exit_code"]) == ("no-store", 2)
    assert error["hint"].endswith(".")
    assert run(["promote", "--json"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


class Broken(LockageError):
    """Something is broken."""

    code = "test-broken"
    exit_code = ExitCode.REFUSED
    hint = "Mend it."


def test_an_error_says_what_where_and_what_to_do(capsys: Output) -> None:
    error = Broken("it is broken", file="a.toml", line=3, nothing=None, empty="", lines=("one", "two"), zero=0, no=False)
    assert show_error(error, as_json=False) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "error[test-broken]: it is broken\n  file: a.toml\n  line: 3\n  lines:\n    one\n    two\n  zero: 0\n  no: False\nhint: Mend it.\n"
    )
    assert show_error(error, as_json=True) == 5
    assert json.loads(capsys.readouterr().out) == {
        "error": {
            "code": "test-broken",
            "exit_code": 5,
            "message": "it is broken",
            "hint": "Mend it.",
            "details": {"file": "a.toml", "line": 3, "nothing": None, "empty": "", "lines": ["one", "two"], "zero": 0, "no": False},
        }
    }


def test_colour_only_on_a_terminal(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    show_error(Refused("no"), as_json=False)
    assert "\x1b" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_error(Refused("no"), as_json=False)
    assert "\x1b[1;31merror[refused]\x1b[0m: no" in capsys.readouterr().err


def broken_by(error: BaseException) -> Callable[..., object]:
    def main(**_: object) -> object:
        raise error

    return main


def test_a_fault_shows_its_traceback_and_exits_with_1(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.program, "main", broken_by(KeyError("nobody foresaw this")))
    assert run(["status"]) == ExitCode.FAULT
    shown = capsys.readouterr().err
    assert shown.startswith("error[fault]: KeyError: 'nobody foresaw this'\n")
    assert "Traceback (most recent call last):" in shown
    assert __file__ in shown
    assert f"hint: {Fault.hint}" in shown


@pytest.fixture
def handlers() -> Iterator[None]:
    """How signals are taken is as it was afterwards."""
    before = {number: signal.getsignal(number) for number in app._ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (app._Terminated(), 143, "terminated"),
        (Broken("x"), 5, "error[test-broken]: x"),
        (click.ClickException("x"), 2, "error[usage]: x"),
        (MemoryError(), 1, "error[fault]: MemoryError"),
    ],
    ids=repr,
)
def test_every_way_to_end(error: BaseException, status: int, says: str, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.program, "main", broken_by(error))
    assert run(["status"]) == status
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_asks_again_while_it_ends_is_shown_no_traceback(again: signal.Signals, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.program, "main", broken_by(KeyboardInterrupt()))
    monkeypatch.setattr(app, "end_observers", lambda *_: signal.raise_signal(again))
    assert run(["status"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_unwinds(number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    unwound = []

    def main(**_: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            unwound.append(True)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        monkeypatch.setattr(app.program, "main", main)
        assert run([]) == 128 + number
    finally:
        signal.signal(signal.SIGHUP, before)
    assert unwound == [True]
    assert "terminated" in capsys.readouterr().err


def test_who_starts_it_with_nohup_keeps_it_running(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(app.program, "main", lambda **_: signal.raise_signal(signal.SIGHUP))
        assert run([]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# Screen


def test_sizes_for_people() -> None:
    sizes = [0, 1023, 1024, 1536, 1 << 20, (1 << 30) - 1, 5 << 30, 5 << 40]
    assert [human_size(size) for size in sizes] == ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB", "5.0 GiB", "5.0 TiB"]
    assert short("0123456789abcdef") == "0123456789ab"


def test_tables_are_aligned_and_have_no_space_at_the_end() -> None:
    assert list(table([("a", "bb"), ("ccc", "")], header=("x", "y"))) == ["x    y", "a    bb", "ccc"]
    assert list(table([])) == []


def test_documents_are_json_of_plain_values(capsys: Output) -> None:
    print_json({"path": StepName("a"), "event": Phase(text="ü"), "list": (1, None)})
    assert json.loads(capsys.readouterr().out) == {"path": "a", "event": {"type": "phase-begun", "text": "ü"}, "list": [1, None]}


def test_progress_is_for_standard_error_and_plain_without_a_terminal(capsys: Output) -> None:
    name = StepName("wheel")
    tell = Progress(quiet=False)
    for event in (
        Phase(text="resolving"),
        StepStarted(step=name),
        StepEnded(step=name, cached=True, failure=None, wall_ms=0),
        StepEnded(step=name, cached=False, failure=None, wall_ms=1234),
        StepEnded(step=name, cached=False, failure="exit-code: 3", wall_ms=1),
        StepRetried(step=name, attempt=1, attempts=3, failure="exit-code: 3"),
        StepSkipped(step=StepName("unit"), failed=(name,)),
        StepQueued(step=name),
        StepBlocked(step=name, latch=LatchName("db")),
        StepUnblocked(step=name),
    ):
        tell(event)
    settle()  # what came quickly may wait for a moment
    lines = (
        "resolving",
        "wheel: unchanged",
        "wheel: done in 1.2 s",
        "wheel: failed (exit-code: 3)",
        "wheel: attempt 1 of 3 failed (exit-code: 3), running it again",
        "unit: not started, as it needs wheel",
        "wheel: waiting for the latch db, which another build holds",
    )
    assert capsys.readouterr() == ("", "".join(f"  {line}\n" for line in lines))
    Progress(quiet=True)(Phase(text="resolving"))
    assert capsys.readouterr() == ("", "")


# Commands over an empty store


@pytest.mark.parametrize(
    "arguments", [["status"], ["history", "dev"], ["pull", "dev", "--into", "x"], ["why-not", "shop", "--to", "dev"]], ids=" ".join
)
def test_questions_to_an_empty_store_make_nothing(arguments: list[str], tmp_path: Path, capsys: Output) -> None:
    assert run(arguments) in (ExitCode.INTEGRITY, ExitCode.USAGE)
    assert capsys.readouterr().err.startswith("error[")
    assert not (tmp_path / "keys").exists()
    assert not (tmp_path / "here" / "x").exists()


def test_there_is_no_run_to_show(capsys: Output) -> None:
    assert run(["logs"]) == ExitCode.USAGE
    assert run(["logs", "../../../etc/passwd"]) == ExitCode.USAGE
    assert "there is no run" in capsys.readouterr().err


def test_keys_inside_the_store_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("LOCKAGE_KEYS", str(tmp_path / "store" / "keys"))
    assert run(["key", "list"]) == ExitCode.USAGE
    assert "error[invalid-setting]" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_jobs_is_a_number(text: str) -> None:
    with pytest.raises(LockageError, match="LOCKAGE_JOBS"):
        _ = Wiring({"LOCKAGE_JOBS": text, "HOME": "/nowhere"}).capacity


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize(("where", "status"), [("| :", 141), ("> /dev/full", int(ExitCode.FAULT))])
def test_output_that_nobody_takes_is_told_by_the_exit_code(where: str, status: int, tmp_path: Path) -> None:
    code = "import time; time.sleep(0.2); from lockage.cli import main; main()"  # the reader has gone by then
    told = tmp_path / "status"
    script = f'{{ "$0" -c "{code}" completion bash; echo $? > "$1"; }} {where}'
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    subprocess.run(["sh", "-c", script, sys.executable, told], check=False, capture_output=True, env=environ)
    assert told.read_text() == f"{status}\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_done_without(closed: str) -> None:
    code = "from lockage.cli import main; main()"
    done = subprocess.run(["sh", "-c", f'"$0" -c "{code}" completion bash {closed}', sys.executable], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))
