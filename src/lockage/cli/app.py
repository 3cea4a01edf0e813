"""The program: finds the command, runs it, and turns what it raises into an error text and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from lockage.base.errors import ExitCode, LockageError
from lockage.cli.progress import end_observers
from lockage.cli.screen import settle, show_error

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["COMMANDS", "program", "run"]

#: Every command in the order of the work, and what it does; each is ``command`` in the module of its name.
COMMANDS = {
    "init": "write down the recipe that a project would be built by",
    "lock": "resolve and pin every environment of the recipe",
    "build": "build in the sandbox; artifacts into a folder",
    "test": "run the recipe's test steps; sign their results",
    "verify": "rebuild with everything varied, compare the bytes",
    "release": "close an immutable, numbered release",
    "promote": "put a release on a channel, if its policy says yes",
    "why-not": "judge a release for a channel without asking for it",
    "rollback": "put back what a channel held before",
    "status": "what every channel holds, and the newest releases",
    "history": "everything that happened on a channel",
    "pull": "what a channel holds, verified, into a folder",
    "diff": "what differs between two files, folders or releases",
    "stabilize": "make any wheel, zip or tar the same whoever packed it",
    "check-archive": "what in an archive would differ, or is not valid",
    "logs": "what the steps of a run printed",
    "show": "a run, artifact, release or action: what it is",
    "lineage": "all that an artifact was made from",
    "explain": "why a step would run, or would not",
    "shell": "a prompt in the sandbox of a step",
    "policy": "what channels demand",
    "evidence": "signed statements about a release",
    "ledger": "the append-only log of everything decided",
    "env": "what environments are made of; fetch all of it ahead",
    "store": "what the store holds, and whether all of it is whole",
    "gc": "delete what the store does not need any more",
    "key": "the keys that sign, and what each may sign",
    "completion": "the script that lets your shell complete words",
}


class _Commands(click.Group):
    """Imports a command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"lockage.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own
        try:
            try:
                return super().invoke(ctx)
            finally:
                settle()  # before click writes anything about how it ended
        except BrokenPipeError as error:
            raise _Unread from error

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # only on the way to an error

            near = get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f"no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ". `lockage --help` lists them."))
        return super().resolve_command(ctx, args)


#: The signals by which people and machines end a command.
_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; unwinds like Ctrl-C so that sandboxes and half-written files are cleaned up."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(number)
        self.number = number


class _Unread(BaseException):
    """Nobody reads the output any more; click has an exit code of its own for BrokenPipeError."""


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signal module's signature)
    raise _Terminated(number)


def _heed_signals() -> None:
    """End on SIGTERM, and on SIGHUP (the terminal is gone) unless whoever started us has it ignored, as nohup does."""
    signal.signal(signal.SIGTERM, _terminate)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=None, version=import_module("lockage").__version__, prog_name="lockage")
@click.option("--json", "as_json", is_flag=True, help="Without a command: where you are as one JSON document.")
@click.pass_context
def program(context: click.Context, as_json: bool) -> None:
    """Build Python releases that anyone can rebuild bit for bit, and promote them on signed evidence.

    Without a command it shows where you are, and what to do next.

    \b
    Examples, a first walk through:
      lockage                       where you are, and what to do next
      lockage lock                  pin every input of the environments
      lockage build                 build in the sandbox; artifacts into ./dist
      lockage test                  run the recipe's test steps
      lockage verify                rebuild with everything varied, compare the bytes
      lockage release               close an immutable, numbered release
      lockage promote shop --to dev
    """
    if context.invoked_subcommand is None:
        from lockage.cli.here import show_here

        show_here(as_json=as_json)
    elif as_json:
        raise click.UsageError("--json stands behind the command", context)


def run(arguments: list[str], unprinted: OSError | None = None) -> int:
    """Run one command and return the process's exit code; ``unprinted`` is why what it prints could not be printed already."""
    _have_streams()
    if unprinted is not None:
        _drop_output()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale that cannot say a file's name must not end a build
    status, errors = int(ExitCode.FAULT), list[str]()
    try:
        status = _run(arguments, errors, unprinted)
        return status
    finally:
        settle()  # whatever else happened: no half-drawn view, and the cursor is back
        end_observers(status, errors[0] if errors else None)


def _run(arguments: list[str], errors: list[str], unprinted: OSError | None) -> int:
    """The exit code; the code of an error that was shown is put into ``errors``."""

    def show(error: LockageError) -> int:
        errors.append(error.code)
        return show_error(error, as_json=as_json)

    _heed_signals()
    as_json = "--json" in arguments
    try:
        if unprinted is not None:
            raise unprinted
        result = program.main(args=arguments, prog_name="lockage", standalone_mode=False, obj=tuple(arguments))  # as they were given
        _print_all()
        return int(result) if isinstance(result, int) else ExitCode.DONE
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stdout.write(error.format_message() + "\n")
        return ExitCode.DONE
    except click.Abort:
        return _ended("interrupted", 130)  # click has ended the line in which a terminal shows ^C
    except click.ClickException as error:
        return show(_usage(error))
    except LockageError as error:
        return show(_advised(error, arguments))
    except KeyboardInterrupt:
        return _ended("interrupted", 130, begin="\n")
    except _Terminated as ended:
        return _ended("terminated", 128 + ended.number)
    except (BrokenPipeError, _Unread):
        _drop_output()
        sys.stderr.close()  # the reader is gone; Python would complain once more at exit
        return 141
    except Exception as error:  # noqa: BLE001 (the last door: whatever was not foreseen is a fault of lockage, and says so)
        return show(_fault(error))


def _have_streams() -> None:
    """In the place of those that were closed when the process began, ones that nobody reads; else the next file would be in their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (open until the process ends)


def _print_all() -> None:
    """Let go of what is still buffered, while it can be said that it could not be printed."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
        raise


def _drop_output() -> None:
    """What could not be printed is not to be tried again as the process ends: Python's exit code for that would take the place of ours."""
    with suppress(OSError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _ended(how: str, status: int, *, begin: str = "") -> int:
    for number in _ENDING:  # who cannot wait and asks again is not shown where lockage was when it ended anyway
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # a terminal that is gone takes no more words
        settle()
        sys.stderr.write(f"{begin}lockage: {how}; nothing half-written was left behind\n")
        sys.stderr.flush()
    return status


def _fault(error: Exception) -> LockageError:
    """An exception that nobody foresaw, with the whole traceback among its details."""
    import traceback  # only on the way to an error

    from lockage.base.errors import Fault

    lines = traceback.format_exception(error)
    return Fault(f"{type(error).__name__}: {error}", traceback=tuple("".join(lines).rstrip().splitlines()))


def _advised(error: LockageError, arguments: list[str]) -> LockageError:
    """The error of a failed step with the commands to type next; any other as it is."""
    if error.details.get("recipe") and error.details.get("step"):
        from lockage.cli.advice import advised  # only on the way to such an error

        return advised(error, program, arguments)
    return error


def _usage(error: click.ClickException) -> LockageError:
    from lockage.base.errors import Usage  # only on the way to an error

    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "lockage"
    return Usage(error.format_message().rstrip(), hint=f"See `{command} --help`.")
