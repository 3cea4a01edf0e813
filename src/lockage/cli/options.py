"""Options and arguments that several commands share, spelled once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.recipe.wanted import Wanted
    from lockage.work.whole import Sample

__all__ = [
    "cache_options",
    "events_option",
    "json_option",
    "keep_going_option",
    "keep_options",
    "lock_option",
    "options_of",
    "out_option",
    "platform_option",
    "source_argument",
    "source_option",
    "wanted_options",
]

F = TypeVar("F", bound="Callable[..., object]")


def source_argument(function: F) -> F:
    """SOURCE: what is built."""
    return click.argument("source", default=".", metavar="[SOURCE]")(function)


def source_option(function: F) -> F:
    """--source, where other arguments say which of its environments."""
    return click.option("--source", default=".", show_default=True, help="A git work tree or URL, an sdist, or a directory.")(function)


def platform_option(function: F) -> F:
    """--platform: of an environment that is locked for several, the one that is meant."""
    what = "Only what is locked for this platform."
    return click.option("--platform", type=click.Choice(("amd64", "arm64")), help=what)(function)


def json_option(function: F) -> F:
    """--json: one stable document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


def cache_options(function: F) -> F:
    """--recheck, --reexecute, --seed, --cache-failures: how kept results are taken, handed on as ``use``."""

    @functools.wraps(function)
    def gathering(*args: object, recheck: bool, reexecute: str | None, seed: str | None, cache_failures: bool, **kwargs: object) -> object:
        from lockage.work.whole import CacheUse

        sample = _sample(reexecute, seed)
        return function(*args, use=CacheUse(recheck=recheck, failures=cache_failures, sample=sample), **kwargs)

    options = (
        click.option("--recheck", is_flag=True, help="Hash everything again that is taken from the store, whatever its files look like."),
        click.option(
            "--reexecute",
            metavar="N[%]",
            help="Execute N unchanged steps again, or N in a hundred, and fail (exit 4) if one gives another result.",
        ),
        click.option("--seed", metavar="WORD", help="With --reexecute: choose the steps that the run with this seed chose."),
        click.option(
            "--cache-failures", is_flag=True, help="Keep the failures of steps, and take those that were kept: do not run them again."
        ),
    )
    command: Callable[..., object] = gathering
    for option in reversed(options):
        command = option(command)
    return cast(F, command)


def _sample(text: str | None, seed: str | None) -> Sample | None:
    """How many steps are executed again; a seed of no characters is to be replaced by a new one."""
    if text is None:
        if seed is not None:
            raise click.UsageError("--seed chooses steps for --reexecute; give both.")
        return None
    from lockage.work.whole import Sample

    number = text.removesuffix("%")
    if not (number.isascii() and number.isdecimal()) or (text != number and int(number) > 100):
        raise click.BadParameter(f"{text!r} is neither a number of steps nor a share from 0% to 100%", param_hint="--reexecute")
    return Sample(seed=seed or "", percent=int(number)) if text != number else Sample(seed=seed or "", count=int(number))


def events_option(function: F) -> F:
    """--events: what happens, for other programs. They are written from when the command begins, not while its words are read."""

    @functools.wraps(function)
    def telling(*args: object, events: str | None, **kwargs: object) -> object:
        if events is not None:
            from lockage.cli.event_stream import begin_stream  # only for who asks for it

            begin_stream(events, click.get_current_context().command_path)
        return function(*args, **kwargs)

    command: Callable[..., object] = click.option(
        "--events",
        metavar="FILE",
        help="Append what happens to FILE as JSON Lines; `-` is standard output, and results then go to standard error.",
    )(telling)
    return cast(F, command)


def keep_going_option(function: F) -> F:
    """--keep-going, --fail-fast: what a failure stops."""
    return click.option(
        "--keep-going/--fail-fast",
        "-k",
        "keep_going",
        default=False,
        help="After a step has failed: run all that does not need it, or start nothing more (the default).",
    )(function)


def keep_options(function: F) -> F:
    """--keep-failed, --keep-failed-in: a failed step's files, to be looked at."""
    where = click.option(
        "--keep-failed-in",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="The same, in FOLDER/STEP.",
    )
    return click.option("--keep-failed", is_flag=True, help="Keep what a failed step left in its workspace in ./lockage-failed/STEP.")(
        where(function)
    )


def lock_option(function: F) -> F:
    """--lock: another lock than the source's own."""
    return click.option(
        "--lock",
        "lock_file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Use this lock instead of the one beside the source.",
    )(function)


def out_option(function: F) -> F:
    """--out: where artifacts go."""
    return click.option(
        "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("dist"), show_default=True, help="Folder for the artifacts."
    )(function)


_ADDED = "Without lockage.toml: an OS package on top of what is inferred; may be given several times."


def wanted_options(function: F, *, added: str = _ADDED) -> F:
    """--add, --python and --publishable: what is wanted of an inferred recipe, handed on as ``wanted``; ``added`` is the help of --add."""

    @functools.wraps(function)
    def gathering(*args: object, added: tuple[str, ...], pythons: tuple[str, ...], publishable: bool, **kwargs: object) -> object:
        from lockage.recipe.wanted import Wanted

        return function(*args, wanted=Wanted(added=added, pythons=pythons, publishable=publishable), **kwargs)

    options = (
        click.option("--add", "added", multiple=True, metavar="PACKAGE", help=added),
        click.option(
            "--python",
            "pythons",
            multiple=True,
            metavar="VERSION",
            help="Without lockage.toml: a wheel for this Python, such as 3.11; may be given several times.",
        ),
        click.option(
            "--publishable", is_flag=True, help="Without lockage.toml: repair wheels, so that an index accepts them (manylinux tags)."
        ),
    )
    command: Callable[..., object] = gathering
    for option in reversed(options):
        command = option(command)
    return cast(F, command)


def options_of(wanted: Wanted) -> tuple[str, ...]:
    """The options that say what is wanted, but for --publishable, as they would be typed."""
    named = (("--add", wanted.added), ("--python", wanted.pythons))
    return tuple(word for option, values in named for value in values for word in (option, value))
