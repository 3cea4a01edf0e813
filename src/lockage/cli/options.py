"""Options and arguments that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_option", "json_option", "keep_options", "lock_option", "out_option", "source_argument"]

F = TypeVar("F", bound="Callable[..., object]")


def source_argument(function: F) -> F:
    """SOURCE: what is built."""
    return click.argument("source", default=".", metavar="[SOURCE]")(function)


def json_option(function: F) -> F:
    """--json: one stable document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


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


def add_option(function: F) -> F:
    """--add: OS packages on top of what is inferred."""
    return click.option(
        "--add",
        "added",
        multiple=True,
        metavar="PACKAGE",
        help="An OS package on top of what is inferred for a source without lockage.toml; may be given several times.",
    )(function)


def out_option(function: F) -> F:
    """--out: where artifacts go."""
    return click.option(
        "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("dist"), show_default=True, help="Folder for the artifacts."
    )(function)
