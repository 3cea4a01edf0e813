"""The commands that go on from a failed step, ready to paste: the one that mends it, and the one that looks into it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockage.cli.options import options_of
from lockage.recipe.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.base.errors import LockageError

__all__ = ["advised"]

#: Options that take a value and are not repeated in the command: packages are listed anew, and a given lock is of too few of them.
_DROPPED = ("--add", "--lock")


def advised(error: LockageError, program: click.Group, arguments: Sequence[str]) -> LockageError:
    """The same error with what to type next, where there is such a thing: the details ``command`` and ``shell``, and a hint that says them.

    ``arguments`` are those of the command that failed.
    """
    given = _given(program, arguments)
    hints = [error.hint]
    if _names(error, "packages"):
        hints.insert(0, _mending(error, arguments, str(given.get("source") or ".")))
    if "unpinned_host" not in error.details:  # on the host there is no sandbox that could be entered
        shell = _looking(error, given)
        error.details["shell"] = shell
        hints.append(f"`{shell}` opens a prompt where it failed.")
    error.hint = " ".join(hints)
    return error


def _mending(error: LockageError, arguments: Sequence[str], source: str) -> str:
    packages = _names(error, "packages")
    if error.details.get("recipe") == "inferred":
        command = _again(arguments, (*_names(error, "added"), *packages))
        error.details["command"] = command
        return f"Run `{command}`."
    environment = str(error.details["environment"])
    line = ", ".join(f'"{name}"' for name in packages)
    if not Path(source).is_dir():
        return f"Add to `packages` of [environment.{environment}] in lockage.toml: {line}."
    command = shlex.join(("lockage", "lock", *_place(source), "--environment", environment, *_adding(packages)))
    error.details["command"] = command
    return f"Run `{command}`, or add to `packages` of [environment.{environment}] in lockage.toml: {line}."


def _looking(error: LockageError, given: dict[str, Any]) -> str:
    lock = given.get("lock_file")
    options = () if lock is None else ("--lock", str(lock))
    source = str(given.get("source") or ".")
    wanted = Wanted(added=given.get("added") or (), pythons=given.get("pythons") or ())
    publishable = ("--publishable",) if given.get("publishable") else ()
    return shlex.join(("lockage", "shell", str(error.details["step"]), *_place(source), *options, *options_of(wanted), *publishable))


def _names(error: LockageError, detail: str) -> tuple[str, ...]:
    found = error.details.get(detail)
    return found if isinstance(found, tuple) else ()


def _place(source: str) -> tuple[str, ...]:
    return () if source == "." else (source,)


def _adding(packages: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for name in packages for word in ("--add", name))


def _again(arguments: Sequence[str], packages: Sequence[str]) -> str:
    """What was typed, with these packages added and no others."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _DROPPED:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in _DROPPED)) and word != "--json":
            kept.append(word)
    return shlex.join(("lockage", *kept, *_adding(tuple(dict.fromkeys(packages)))))


def _given(program: click.Group, arguments: Sequence[str]) -> dict[str, Any]:
    """What a command line that was understood once says, by the names of the command's parameters."""
    context = click.Context(program, **program.context_settings)
    command = program.get_command(context, arguments[0])
    assert command is not None
    return command.make_context(arguments[0], list(arguments[1:]), parent=context, resilient_parsing=True).params
