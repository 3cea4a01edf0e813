"""Options and arguments that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["json_option", "lock_option", "out_option", "source_argument", "wanted_options"]

F = TypeVar("F", bound="Callable[..., object]")


def source_argument(function: F) -> F:
    """SOURCE: what is built."""
    return click.argument("source", default=".", metavar="[SOURCE]")(function)


def json_option(function: F) -> F:
    """--json: one stable document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


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


def wanted_options(function: F) -> F:
    """--python and --publishable: what is wanted of an inferred recipe."""
    python = click.option(
        "--python",
        "pythons",
        multiple=True,
        metavar="VERSION",
        help="Without lockage.toml: a wheel for this Python, such as 3.11; may be given several times.",
    )
    publishable = click.option(
        "--publishable", is_flag=True, help="Without lockage.toml: repair wheels, so that an index accepts them (manylinux tags)."
    )
    return python(publishable(function))
