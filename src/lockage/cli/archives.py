"""What `lockage stabilize` and `lockage check-archive` share: their files and their date. Neither touches a store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from lockage.base.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.base.instant import Instant

__all__ = ["NoDate", "date_option", "files_argument", "given_date"]

F = TypeVar("F", bound="Callable[..., object]")


class NoDate(Usage):
    """There is no date that the times in a file could become."""

    code = "no-date"
    hint = "Name one by --date, or set SOURCE_DATE_EPOCH (`git log -1 --format=%ct` prints that of a commit)."


def files_argument(function: F) -> F:
    """FILE...: what is looked at."""
    wanted = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.argument("files", nargs=-1, required=True, metavar="FILE...", type=wanted)(function)


def date_option(function: F) -> F:
    """--date: a date, a time in UTC, or seconds since 1970."""
    return click.option(
        "--date",
        metavar="DATE",
        callback=lambda context, parameter, value: _date(value),  # noqa: ARG005 (click's signature)
        help="YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ or seconds since 1970; else SOURCE_DATE_EPOCH.",
    )(function)


def _date(text: str | None) -> Instant | None:
    from lockage.base.instant import Instant

    if text is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{1,12}", text):
            str(Instant(text))  # a time that has no text is none
            return Instant(text)
        return Instant.parse(f"{text}T00:00:00Z" if re.fullmatch(r"[0-9-]{10}", text) else text)
    except (ValueError, OverflowError, OSError) as error:
        raise click.BadParameter(f"{text!r} is neither YYYY-MM-DD, YYYY-MM-DDTHH:MM:SSZ nor seconds since 1970") from error


def given_date(named: Instant | None) -> Instant | None:
    """The date that the user named, else the environment's."""
    from lockage.wiring.source_date import source_date

    return source_date() if named is None else named
