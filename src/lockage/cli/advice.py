"""The command that mends a build which missed a package, ready to paste: what was typed, with what is missing added."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.base.errors import LockageError

__all__ = ["advised"]

#: Options that take a value and are not repeated in the command: packages are listed anew, and a given lock is of too few of them.
_DROPPED = ("--add", "--lock")


def advised(error: LockageError, program: click.Group, arguments: Sequence[str]) -> LockageError:
    """The same error with the detail ``command`` and a hint that says it; ``arguments`` are those of the command that failed."""
    packages = _names(error, "packages")
    if error.details.get("recipe") == "inferred":
        command = _again(arguments, (*_names(error, "added"), *packages))
        hint = f"Run `{command}`."
    else:
        source = _source(program, arguments)
        hint = f"Add to `packages` of [environment.{error.details['environment']}] in lockage.toml: {_quoted(packages)}."
        if not Path(source).is_dir():
            error.hint = f"{hint} {error.hint}"
            return error
        place = () if source == "." else (source,)
        named = ("--environment", str(error.details["environment"]))
        command = shlex.join(("lockage", "lock", *place, *named, *(word for name in packages for word in ("--add", name))))
        hint = f"Run `{command}`, or add to `packages` in lockage.toml: {_quoted(packages)}."
    error.details["command"] = command
    error.hint = f"{hint} {error.hint}"
    return error


def _names(error: LockageError, detail: str) -> tuple[str, ...]:
    found = error.details.get(detail)
    return found if isinstance(found, tuple) else ()


def _quoted(packages: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in packages)


def _again(arguments: Sequence[str], packages: Sequence[str]) -> str:
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in _DROPPED:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in _DROPPED)) and word != "--json":
            kept.append(word)
    return shlex.join(("lockage", *kept, *(part for name in dict.fromkeys(packages) for part in ("--add", name))))


def _source(program: click.Group, arguments: Sequence[str]) -> str:
    """The SOURCE of a command line that was understood once."""
    context = click.Context(program)
    command = program.get_command(context, arguments[0])
    assert command is not None
    found = command.make_context(arguments[0], list(arguments[1:]), parent=context, resilient_parsing=True)
    return str(found.params.get("source") or ".")
