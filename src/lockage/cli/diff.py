"""``lockage diff``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.options import json_option

if TYPE_CHECKING:
    from lockage.compare.difference import Comparison
    from lockage.compare.render import Role
    from lockage.compare.side import Side

__all__ = ["command"]


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--html", "page", metavar="FILE", help="Also write the comparison as one page of HTML; `-` prints it instead.")
@click.option(
    "--limit", type=click.IntRange(1), default=40, show_default=True, help="How many members, details and lines to list of each thing."
)
@click.option("--diffoscope", "handed_on", is_flag=True, help="Hand both to diffoscope, which must be installed, and print what it says.")
@json_option
def command(a: str, b: str, page: str | None, limit: int, handed_on: bool, as_json: bool) -> int:
    """Compare A and B: how equal they are, and what differs, down to sections, symbols, keys, lines and bytes.

    Each is a file, a folder, a release, a file of a release (RELEASE/NAME) or the sha256 of an artifact in the store. What is
    on this disk comes before what is in the store. Exit 0 if they are identical, 4 if not.

    \b
    Examples:
      lockage diff dist/shop-1.2.0.tar.gz other/shop-1.2.0.tar.gz
      lockage diff shop@1.2.0-1 shop@1.2.0-2 --html report.html
      lockage diff dist rebuilt --limit 100
      lockage diff a.whl b.whl --json
    """
    from lockage.base.errors import ExitCode, Usage
    from lockage.cli.screen import print_json, say
    from lockage.compare.grade import Grade
    from lockage.compare.side import compare_sides

    if (page is not None) + as_json + handed_on > 1:
        raise Usage("of --html, --json and --diffoscope only one can be asked for", hint="Run the command once for each.")
    one, two = _side(a), _side(b)
    if handed_on:
        from lockage.cli.diffoscope import run_diffoscope

        return run_diffoscope(*(Path(text) if Path(text).exists() else side for text, side in ((a, one), (b, two))))
    found = compare_sides(one, two)
    if as_json:
        print_json(found)
    elif page == "-":
        from lockage.compare.page import render_page

        sys.stdout.write(render_page(found, a, b, limit=limit))
    else:
        _say(found, limit)
        if page is not None:
            _write(found, Path(page), (a, b), limit)
            say(f"written to {page}")
    return int(ExitCode.DONE if found.grade is Grade.IDENTICAL else ExitCode.NOT_REPRODUCED)


def _side(text: str) -> Side:
    place = Path(text)
    if place.exists():
        from lockage.cli.folder import side_of

        return side_of(place, text)
    from lockage.wiring import Wiring  # files need no store
    from lockage.work.diff import stored_side

    return stored_side(Wiring.from_process(), text)


def _say(found: Comparison, limit: int) -> None:
    from lockage.cli.screen import say
    from lockage.compare.render import lines_of
    from lockage.wiring.terminal import terminal_of

    colour = terminal_of(sys.stdout).colour
    for line in lines_of(found, limit=limit):
        say(f"{'  ' * line.depth}{_coloured(line.text, line.role) if colour else line.text}")


def _coloured(text: str, role: Role) -> str:
    code = {"title": "1", "member": "36", "a": "31", "b": "32", "note": "2"}.get(role)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _write(found: Comparison, place: Path, names: tuple[str, str], limit: int) -> None:
    from lockage.base.errors import Usage
    from lockage.compare.page import render_page

    try:
        place.write_text(render_page(found, *names, limit=limit), encoding="utf-8")
    except OSError as error:
        raise Usage(f"cannot write {place}: {error.strerror}", hint="Name a file in a folder that you may write to.") from error
